"""What holds for the repository as a whole."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("hubkit", "services", "gateway", "onward")
MADE = {
    "__pycache__", ".venv", ".data", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", "mutants",
}  # fmt: skip
LOCKS = ("requirements.txt", "requirements-dev.txt")


def committed_files() -> list[Path]:
    """Return the files git knows; in a copy without git, all but the made ones."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        found = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not set(path.relative_to(ROOT).parts) & MADE]
    return [path for path in found if path.is_file()]


def source_files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_package_registry(lock: str):
    assert "://" not in (ROOT / lock).read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pinned_package_has_a_hash(lock: str):
    entries = re.split(r"\n(?=[a-z])", (ROOT / lock).read_text(encoding="utf-8"))

    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_development_lock_pins_everything_that_the_plain_one_does():
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()


def test_npm_would_name_no_registry_in_a_lock():
    assert (ROOT / ".npmrc").read_text(encoding="utf-8") == "omit-lockfile-registry-resolved=true\n"


def test_no_committed_file_names_a_folder_of_one_machine():
    folders = [f"/{name}/".encode() for name in ("work", "root")]

    assert [
        str(path.relative_to(ROOT))
        for path in committed_files()
        if any(folder in path.read_bytes() for folder in folders)
    ] == []


def test_no_source_file_is_longer_than_400_lines():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in source_files(*SOURCES)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }

    assert long == {}


def test_no_service_commits_by_itself():
    commits = [
        str(path.relative_to(ROOT))
        for path in source_files("services")
        if ".commit(" in path.read_text(encoding="utf-8")
    ]

    assert commits == []
