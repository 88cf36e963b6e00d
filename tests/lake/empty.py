"""Empty lakes for tests: copied, since to make the tables takes a hundred times as long."""

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
        return lake
    for path, data in _empty_tables().items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(data)
    return lake


@cache
def _empty_tables() -> dict[Path, bytes]:
    """Return the files of an empty lake, by path: the first commit of each table."""
    with TemporaryDirectory() as made:
        Lake(LakeSettings(uri=made)).init()
        files = (path for path in Path(made).rglob("*") if path.is_file())
        return {path.relative_to(made): path.read_bytes() for path in files}
