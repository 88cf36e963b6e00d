"""The tracked files of the repository, and the syntax trees of its rooms."""

import ast
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = (
    "goldpan",
    "stream",
    "batch",
    "assembly",
    "judges",
    "labels",
    "redact",
    "lake",
    "decode",
    "otel",
    "schemas",
)


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return what git tracks, relative to the root; without git, everything but what is made."""
    if shutil.which("git") and (ROOT / ".git").exists():
        names = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split("\0")
        found = [Path(name) for name in names if name]
    else:
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*") if _is_source(path)]
    return tuple(path for path in found if (ROOT / path).is_file())


def _is_source(path: Path) -> bool:
    made = {".venv", "__pycache__", "build", "dist"}
    parts = path.relative_to(ROOT).parts
    return not made & set(parts) and not any(
        part.endswith(("_cache", ".egg-info")) for part in parts
    )


def room_files() -> list[Path]:
    """Return the Python files of all rooms, relative to the root."""
    files = (file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py")))
    return [file.relative_to(ROOT) for file in files]


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Yield each Python file of the rooms with its syntax tree."""
    for file in room_files():
        yield file, ast.parse((ROOT / file).read_text(encoding="utf-8"))
