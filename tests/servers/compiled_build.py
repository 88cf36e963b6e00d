"""A compiled build of redaction, made once for each state of its source."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.architecture.source import ROOMS, ROOT
from tests.servers.cache import cache_root, cached
from tests.servers.unavailable import ServerUnavailableError, need_program

_LEVEL = "0"
"""The optimisation of tests: compiling takes less time, and the code means the same."""

_COMPILED_FROM = ("redact", "schemas", "setup.py", "pyproject.toml", "README.md", "LICENSE")


def prepare_compiled() -> Path:
    """Return a folder with redaction, compiled.

    Raises ServerUnavailableError if there is no compiler. A compilation that fails is an error.
    """
    need_program("gcc", "compiling redaction")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise ServerUnavailableError("compiling redaction needs Python.h (Debian: python3-dev)")
    return cached(f"compiled-{_digest()}", _build)


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
    for name in (*_COMPILED_FROM, "requirements/compile.lock"):
        for file in sorted((ROOT / name).rglob("*")) or [ROOT / name]:
            if file.is_file() and file.suffix != ".pyc":
                digest.update(file.relative_to(ROOT).as_posix().encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _build(folder: Path) -> None:
    source = folder / "source"
    source.mkdir()
    for name in _COMPILED_FROM:
        if (ROOT / name).is_dir():
            without = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=without)
        else:
            shutil.copy(ROOT / name, source / name)
    done = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=source,
        env={
            **os.environ,
            "COMPILE_REDACTION": "1",
            "COMPILE_REDACTION_LEVEL": _LEVEL,
            "MYPY_CACHE_DIR": str(cache_root() / "compiled-types"),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout[-4_000:]}{done.stderr[-4_000:]}"
    for made in [*source.glob("*.so"), source / "redact"]:
        made.rename(folder / made.name)
    shutil.rmtree(source)
