#!/bin/sh
# Tests of the window with other packages than those of .venv:
#   make test-oldest   the oldest napari that pyproject.toml allows
#   make test-pyside   the other binding of Qt
#
# The venv holds only what differs and takes all other packages from .venv, so that it is made in
# half a minute. With more arguments, those tests run instead of the chosen ones.
set -eu
cd "$(dirname "$0")/.."
which=$1; shift
base=.venv venv=.venv-$which
case $which in
oldest)
    oldest=$(sed -n 's/^ *"napari>=\([0-9.]*\),.*/\1/p' pyproject.toml)
    package=napari==$oldest binding=pyqt6
    check="import napari; assert napari.__version__ == '$oldest', napari.__version__"
    tests="tests/test_manifest.py tests/ui/test_commands.py tests/ui/test_dock.py
        tests/ui/test_dropping.py tests/ui/test_writers.py" ;;
pyside)
    package=$(sed -n 's/^pyside6 = .*"\(pyside6[^";]*\).*/\1/p' pyproject.toml) binding=pyside6
    check="import qtpy; assert qtpy.API == 'pyside6', qtpy.API"
    tests="tests/ui/test_bind.py tests/ui/test_commands.py tests/ui/test_dock.py
        tests/ui/test_layout_tools.py tests/ui/test_region_marks.py tests/ui/test_results.py
        tests/ui/test_shell.py" ;;
*) echo "usage: $0 oldest|pyside [TESTS]" >&2; exit 2 ;;
esac
packages() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
test -x "$venv/bin/python" || "$base/bin/python" -m venv "$venv"
packages "$base" > "$(packages "$venv")/base.pth"
"$venv/bin/python" -m pip install --disable-pip-version-check -q "$package" 2>&1 |
    grep -v "dependency conflicts\|napari-pixcell" || true
export PYTHONPATH=src QT_API=$binding PYTEST_QT_API=$binding
"$venv/bin/python" -c "$check"
echo "$package"
# shellcheck disable=SC2086
test $# -gt 0 || set -- $tests
exec "$venv/bin/python" -m pytest -q -o qt_api="$binding" \
    -n logical --maxprocesses=4 --dist=worksteal "$@"
