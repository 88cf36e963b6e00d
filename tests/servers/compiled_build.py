"""A compiled build of redaction, made once for each state of its source."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

from tests.architecture.source import ROOMS, ROOT
from tests.servers.cache import cache_root, cached, locked
from tests.servers.unavailable import ServerUnavailableError, need_program

_LEVEL = "0"
"""The optimisation of tests: compiling takes less time, and the code means the same."""

_FOR_TESTS: Final = {"COMPILE_REDACTION_LEVEL": _LEVEL, "COMPILE_REDACTION_SEPARATE": "1"}

_FOLDERS = ("redact", "schemas")
_FILES = ("setup.py", "pyproject.toml", "README.md", "LICENSE")
_MADE = {".pyc", ".so"}


def prepare_compiled(*, as_shipped: bool = False) -> Path:
    """Return a folder with redaction, compiled: quickly, or for speed as in a wheel.

    Raises ServerUnavailableError if there is no compiler. A compilation that fails is an error.
    """
    need_program("gcc", "compiling redaction")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise ServerUnavailableError("compiling redaction needs Python.h (Debian: python3-dev)")
    if as_shipped:
        return cached(f"shipped-{_digest()}", partial(_build, work="shipping", how={}))
    return cached(f"compiled-{_digest()}", partial(_build, work="compiling", how=_FOR_TESTS))


def lay_out(compiled: Path, folder: Path) -> Path:
    """Make a folder look like installed packages: the rooms of this source, redaction compiled."""
    for made in compiled.iterdir():
        (folder / made.name).symlink_to(made)
    for room in ROOMS:
        if room != "redact":
            (folder / room).symlink_to(ROOT / room)
    return folder


def _digest() -> str:
    """Return a hash of all that the build has or depends on."""
    digest = hashlib.sha256(f"{sysconfig.get_config_var('SOABI')} {_LEVEL}".encode())
    for file in [*_sources(ROOT), ROOT / "requirements" / "compile.lock"]:
        digest.update(file.relative_to(ROOT).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _sources(root: Path) -> list[Path]:
    """Return the files that the build reads."""
    files = [file for name in _FOLDERS for file in sorted((root / name).rglob("*"))]
    files += [root / name for name in _FILES]
    return [file for file in files if file.is_file() and file.suffix not in _MADE]


def _build(folder: Path, *, work: str, how: Mapping[str, str]) -> None:
    """Compile in a folder that stays, so that only what has changed is compiled again."""
    work_folder = cache_root() / f"{work}-{sysconfig.get_config_var('SOABI')}"
    with locked(work_folder.with_suffix(".lock")):
        done = _compile(work_folder, how)
        if done.returncode:  # mypyc may fail over what it kept of classes that have changed
            shutil.rmtree(work_folder)
            done = _compile(work_folder, how)
        assert done.returncode == 0, f"{done.stdout[-4_000:]}{done.stderr[-4_000:]}"
        shutil.copytree(work_folder / "redact", folder / "redact")
        for made in work_folder.glob("*.so"):
            shutil.copy(made, folder)


def _compile(work_folder: Path, how: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    _bring_up_to_date(work_folder)
    return subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace", f"-j{os.cpu_count()}"],
        cwd=work_folder,
        env={**os.environ, "COMPILE_REDACTION": "1", **how},
        check=False,
        capture_output=True,
        text=True,
    )


def _bring_up_to_date(work: Path) -> None:
    """Make a folder hold this source; leave alone what has not changed, and what was made."""
    current = {file.relative_to(ROOT) for file in _sources(ROOT)}
    for file in _sources(work):
        if file.relative_to(work) not in current:
            file.unlink()
            for made in file.parent.glob(f"{file.stem}.*.so"):
                made.unlink()
    for name in current:
        file = work / name
        if not file.exists() or file.read_bytes() != (ROOT / name).read_bytes():
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, file)
