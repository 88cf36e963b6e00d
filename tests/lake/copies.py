"""Lakes that are copied for each test: to make even an empty one takes a hundred times as long."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from lake.config import LakeSettings
from lake.tables import Lake


def init_lake(lake: Lake) -> Lake:
    """Make the tables of a lake, if it has none yet, and return it."""
    folder = lake.location.folder
    if folder is None or (folder.exists() and any(folder.iterdir())):
        lake.init()
    else:
        write_files(folder, _empty_tables())
    return lake


@cache
def _empty_tables() -> Mapping[Path, bytes]:
    with TemporaryDirectory() as folder:
        Lake(LakeSettings(uri=folder)).init()
        return read_files(Path(folder))


_made: dict[str, Mapping[Path, bytes]] = {}


def make_once(folder: Path, key: str, make: Callable[[Path], object]) -> None:
    """Make in a folder what ``make`` makes in one: made once for a key, then copied."""
    if key not in _made:
        with TemporaryDirectory() as made:
            make(Path(made))
            _made[key] = read_files(Path(made))
    write_files(folder, _made[key])


def read_files(folder: Path) -> dict[Path, bytes]:
    """Return all files below a folder, by path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def write_files(folder: Path, files: Mapping[Path, bytes]) -> None:
    """Write files below a folder, as `read_files` returns them."""
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
