"""A compiled build of redaction, made once for each state of its source."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.architecture.source import ROOMS, ROOT
from tests.servers.cache import cached

_LEVEL = "0"
"""The optimisation of tests: compiling takes less time, and the code means the same."""

_COMPILED_FROM = ("redact", "schemas", "setup.py", "pyproject.toml", "README.md", "LICENSE")


def make_site(folder: Path) -> Path:
    """Make a folder look like installed packages: the rooms of this source, redaction compiled."""
    for made in cached(f"compiled-{_digest()}", _build).iterdir():
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
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
        cwd=source,
        env={**os.environ, "GOLDPAN_COMPILE": "1", "GOLDPAN_COMPILE_LEVEL": _LEVEL},
        check=True,
        capture_output=True,
    )
    for made in [*source.glob("*.so"), source / "redact"]:
        made.rename(folder / made.name)
    shutil.rmtree(source)
