"""Make a release: ``make release VERSION=1.2.3``, or with ``DRY=1`` without commit and tag.

Renames the heading “Unreleased” of the changelog, sets the version, builds and checks the wheel and
the source distribution in ``dist/``, commits and tags. Nothing is pushed or uploaded.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import Version

BRANCH = "main"
UNRELEASED = "## [Unreleased]"
CHANGELOG = "CHANGELOG.md"
CODE = "src/napari_pixcell/__init__.py"
# The files that state the version, and how.
VERSIONS = {
    CODE: r'(?m)^(__version__ = ")[^"]*(")$',
    "CITATION.cff": r"(?m)^(version: )\S+($)",
    "recipe/meta.yaml": r'(?m)^(\{% set version = ")[^"]*(" %\})$',
}


class Refused(Exception):
    """The release cannot be made; the message says why and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Make the release, or say in one sentence why not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="such as 1.2.3")
    parser.add_argument("--dry-run", action="store_true", help="change nothing in the repository")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[1])
    options = parser.parse_args(arguments)
    try:
        release(options.root, options.version, options.dry_run)
    except Refused as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


def release(root: Path, version: str, dry_run: bool = False) -> None:
    """Make the release of a repository.

    Raises
    ------
    Refused
        If the version, the repository or the changelog is not ready, or a check fails. The
        repository is then as before.
    """
    check_repository(root, version)
    today = datetime.now(UTC).date().isoformat()
    current = version_in(read(root / CODE))
    if Version(version) < current:
        raise Refused(f"{version} is older than the current version {current}. Choose a newer one.")
    changed = {CHANGELOG: dated(read(root / CHANGELOG), version, today)}
    for name, pattern in VERSIONS.items():
        changed[name] = with_version(name, read(root / name), pattern, version)
    citation = changed["CITATION.cff"]
    if re.search(r"(?m)^date-released: ", citation):
        citation = re.sub(r"(?m)^(date-released: ).*$", rf"\g<1>{today}", citation)
    else:
        citation = re.sub(r"(?m)^(version: .*)$", rf"\g<1>\ndate-released: {today}", citation)
    changed["CITATION.cff"] = citation

    with tempfile.TemporaryDirectory() as folder:
        # What is tagged is built: the tracked files with these changes, and nothing beside them.
        tree, dist = Path(folder) / "tree", Path(folder) / "dist"
        git(root, "clone", "--quiet", "--shared", "--no-tags", str(root), str(tree))
        write(tree, changed)
        call("build", [sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, tree])
        files = sorted(dist.iterdir())
        call("check", [sys.executable, "-m", "twine", "check", "--strict", *files])
        for file in files:
            print(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}")
        if dry_run:
            print(f"{version} can be released. Nothing was changed.")
            return
        shutil.rmtree(root / "dist", ignore_errors=True)
        shutil.copytree(dist, root / "dist")
    write(root, changed)
    try:
        git(root, "commit", "--quiet", "--message", f"Release {version}", "--", *changed)
    except Refused:
        git(root, "checkout", "--quiet", "HEAD", "--", *changed)
        raise
    git(root, "tag", "--annotate", tag(version), "--message", f"napari-pixcell {version}")
    print(f"{tag(version)} is committed and tagged, and its files are in dist/. To publish it:")
    print(f"  git push origin {BRANCH} {tag(version)}\n  {sys.executable} -m twine upload dist/*")


def check_repository(root: Path, version: str) -> None:
    """Raise if the version or the state of the repository does not allow a release."""
    if not re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
        raise Refused(f"“{version}” is not a version. Write it like 1.2.3 or 1.2.3rc1.")
    if not (root / ".git").exists():
        raise Refused(f"{root} is not a git repository. Run it in a clone.")
    branch = git(root, "branch", "--show-current")
    if branch != BRANCH:
        raise Refused(f"The branch is “{branch}”. Releases are made on {BRANCH}.")
    if git(root, "status", "--porcelain"):
        raise Refused("There are changes that are not committed. Commit or discard them.")
    if git(root, "tag", "--list", tag(version)):
        raise Refused(f"The tag {tag(version)} exists. Choose the next version.")


def dated(changelog: str, version: str, today: str) -> str:
    """Return the changelog with its unreleased entries under the version and its date."""
    head, found, rest = changelog.partition(UNRELEASED + "\n")
    entries = re.split(r"(?m)^## ", rest)[0]
    if not found or not re.search(r"(?m)^- ", entries):
        raise Refused(f"{CHANGELOG} has no entry under “Unreleased”. Add what users notice.")
    if f"## [{version}]" in rest:
        raise Refused(f"{CHANGELOG} has a heading for {version}. Choose the next version.")
    text = f"{head}{UNRELEASED}\n\n## [{version}] - {today}\n{rest}"
    links = rf"[Unreleased]: \g<1>/compare/{tag(version)}...HEAD"
    links += f"\n[{version}]: \\g<1>/releases/tag/{tag(version)}"
    return re.sub(r"(?m)^\[Unreleased\]: (\S+)/compare/\S+$", links, text)


def with_version(name: str, text: str, pattern: str, version: str) -> str:
    """Return the text of a file with another version."""
    changed, count = re.subn(pattern, rf"\g<1>{version}\g<2>", text)
    if count != 1:
        raise Refused(f"{name} states the version {count} times instead of once. Correct it.")
    return changed


def version_in(code: str) -> Version:
    """Return the version that the package states."""
    found = re.search(r'(?m)^__version__ = "([^"]+)"$', code)
    if found is None:
        raise Refused(f"{CODE} states no version. Correct it.")
    return Version(found[1])


def tag(version: str) -> str:
    """Return the name of a version's tag."""
    return f"v{version}"


def read(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text("utf-8")


def write(root: Path, texts: dict[str, str]) -> None:
    """Write files in a tree, by their names."""
    for name, text in texts.items():
        (root / name).write_text(text, "utf-8", newline="\n")


def git(root: Path, *arguments: str) -> str:
    """Run git in a repository and return its output."""
    return call(f"git {arguments[0]}", ["git", "-C", root, *arguments])


def call(name: str, command: list[str | Path]) -> str:
    """Run a command and return its output."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"{name} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
