#!/bin/sh
# Tests of the window with the oldest napari that pyproject.toml allows: make test-oldest
#
# The venv holds that napari alone, and takes all other packages from .venv, so that it is made in
# half a minute. With arguments, those tests run instead of the chosen ones.
set -eu
cd "$(dirname "$0")/.."
base=.venv venv=.venv-oldest
oldest=$(sed -n 's/^ *"napari>=\([0-9.]*\),.*/\1/p' pyproject.toml)
packages() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }
test -x "$venv/bin/python" || "$base/bin/python" -m venv "$venv"
packages "$base" > "$(packages "$venv")/base.pth"
"$venv/bin/python" -m pip install --disable-pip-version-check -q "napari==$oldest" 2>&1 |
    grep -v "dependency conflicts\|napari-pixcell" || true
"$venv/bin/python" -c "import napari; assert napari.__version__ == '$oldest', napari.__version__"
echo "napari $oldest"
test $# -gt 0 || set -- tests/test_manifest.py tests/ui/test_commands.py tests/ui/test_dock.py \
    tests/ui/test_dropping.py tests/ui/test_writers.py
PYTHONPATH=src PYTEST_QT_API=pyqt6 exec "$venv/bin/python" -m pytest -q "$@"
