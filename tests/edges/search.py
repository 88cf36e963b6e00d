"""Looking for the marks of bad records in everything that a lake is made of."""

import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow.parquet as pq

from tests.edges.bad_records import MARK, NUMBER

_WORDS = (MARK, str(NUMBER), MARK.encode().hex())


def marks_in(text: str | bytes) -> list[str]:
    """Return which marks stand in a text, in whatever case."""
    plain = text if isinstance(text, str) else text.decode("latin-1")
    lowered = plain.lower()
    return [word for word in _WORDS if word in lowered]


def marks_in_folder(folder: Path) -> list[str]:
    """Return the files below a folder in which a mark stands, in their bytes or in their rows.

    Parquet is searched twice: as it lies there, and unpacked, each column with its statistics.
    """
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        texts: Iterable[str | bytes] = (path.name, path.read_bytes())
        if path.suffix == ".parquet":
            texts = (*texts, *_unpacked(path))
        if any(marks_in(text) for text in texts):
            found.append(str(path.relative_to(folder)))
    return found


def _unpacked(path: Path) -> Iterable[str]:
    file = pq.ParquetFile(path)
    yield str(file.metadata.to_dict())
    for row in file.read().to_pylist():
        yield json.dumps(row, default=_text, ensure_ascii=False)


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
