"""What is installed: the locks, the image, and the files that travel with the package."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.architecture.source import ROOMS, ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
REQUIREMENT = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _locked(lock: Path) -> dict[str, str]:
    """Return the text of each requirement of a lock, by name."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", lock.read_text())
    found: dict[str, str] = {}
    for block in blocks:
        match = REQUIREMENT.match(block)
        if match:
            found[match[1].lower().replace("_", "-")] = found.get(match[1], "") + block
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_everything_is_pinned_with_hashes(lock: Path) -> None:
    """Each line of a lock names one version and the hashes of its files, and no address."""
    text = lock.read_text()
    for line in text.splitlines():
        known = ("    --hash=sha256:", "#", "    #")
        assert not line or REQUIREMENT.match(line) or line.startswith(known)
    assert all("--hash=sha256:" in block for block in _locked(lock).values())
    assert "http://" not in text
    assert "https://" not in text


def test_the_locks_hold_what_the_project_asks_for() -> None:
    """A dependency that was added to pyproject.toml is in the lock too (`make lock`)."""
    runtime, dev = (_locked(ROOT / "requirements" / f"{name}.lock") for name in ("runtime", "dev"))
    wanted = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["build"]
    assert _names(wanted) <= set(runtime)
    assert _names(PROJECT["dependency-groups"]["dev"]) <= set(dev)
    assert {name: block.split()[0] for name, block in runtime.items()}.items() <= {
        name: block.split()[0] for name, block in dev.items()
    }.items()


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~;, ]", r)[0].lower().replace("_", "-") for r in requirements}


def test_what_is_installed_is_what_the_lock_names() -> None:
    """The tests run with the very versions that users get, not with others that are here."""
    other = {}
    for line in (ROOT / "requirements" / "dev.lock").read_text().splitlines():
        if REQUIREMENT.match(line):
            wanted = Requirement(line.rstrip(" \\"))
            if wanted.marker is None or wanted.marker.evaluate():
                found = version(wanted.name)
                if not wanted.specifier.contains(found, prereleases=True):
                    other[wanted.name] = found
    assert other == {}


def test_the_worker_needs_no_deep_learning_framework() -> None:
    """The image stays small: names are found without torch."""
    heavy = {"torch", "tensorflow", "transformers", "jax", "onnxruntime"}
    assert not heavy & set(_locked(ROOT / "requirements" / "runtime.lock"))


class Dockerfile:
    """The instructions of the Dockerfile, by stage."""

    def __init__(self) -> None:
        text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line.strip() and line[0] != "#"]
        self.instructions = [(line.split()[0], line.split(None, 1)[1]) for line in lines]
        starts = [i for i, (name, _) in enumerate(self.instructions) if name == "FROM"]
        self.final = self.instructions[starts[-1] :]

    def of(self, name: str, *, final: bool = False) -> list[str]:
        """Return the arguments of all instructions of one name."""
        return [rest for n, rest in (self.final if final else self.instructions) if n == name]


def test_the_image_runs_without_privileges() -> None:
    """The user is a number, so that an orchestrator can see that it is not root."""
    (user,) = Dockerfile().of("USER", final=True)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)


def test_the_image_is_built_from_pinned_things_only() -> None:
    """The base has a patch version, and packages come from the lock with their hashes."""
    for base in Dockerfile().of("FROM"):
        assert re.match(r"python:3\.\d+\.\d+-slim-\w+( |$)", base)
    installs = [run for run in Dockerfile().of("RUN") if "pip install" in run]
    assert installs
    for install in installs:
        assert "--require-hashes" in install or "--no-deps" in install


def test_the_image_can_have_a_read_only_root() -> None:
    """Nothing is written but to /tmp: no bytecode, and a home that exists nowhere else."""
    environment = " ".join(Dockerfile().of("ENV", final=True))
    assert "PYTHONDONTWRITEBYTECODE=1" in environment
    assert "HOME=/tmp" in environment
    assert "GOLDPAN_REDACT__CACHE_DIR=/tmp/goldpan" in environment


def test_the_image_starts_goldpan() -> None:
    """One image for the worker and the jobs: its entry point is the command."""
    assert Dockerfile().of("ENTRYPOINT", final=True) == ['["goldpan"]']


def test_the_image_holds_all_rooms() -> None:
    """What the build copies is let through by .dockerignore, and is all that the package is."""
    let_in = (ROOT / ".dockerignore").read_text().splitlines()
    copied = {
        source
        for copy in Dockerfile().of("COPY")
        if "--from" not in copy
        for source in shlex.split(copy)[:-1]
    }
    assert set(ROOMS) <= copied
    assert all(f"!{source}" in let_in for source in copied)


def test_data_files_travel_with_the_package(tmp_path: Path) -> None:
    """A wheel holds every data file of the rooms: schemas, topics, policies, conversations."""
    source = copy_of_the_source(tmp_path / "source")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    data = {
        file.relative_to(ROOT).as_posix()
        for room in ROOMS
        for file in (ROOT / room).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    assert data - packed == set()
    assert any(name.endswith("licenses/LICENSE") for name in packed)


def copy_of_the_source(folder: Path) -> Path:
    """Copy what a build needs, so that building leaves nothing behind in the repository."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    return folder
