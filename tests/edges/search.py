"""Looking for words in everything that a worker writes: as bytes, and unpacked from Parquet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.edges.bad_records import MARK, NUMBER

MARKS = (MARK, str(NUMBER), MARK.encode().hex())
"""What stands in each bad record and nowhere else."""


def marks_in(text: str | bytes, words: Sequence[str] = MARKS) -> list[str]:
    """Return which words stand in a text, in whatever case (of letters of ASCII)."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    lowered = data.lower()
    return [word for word in words if word.encode("utf-8", "surrogatepass").lower() in lowered]


def marks_in_folder(folder: Path, words: Sequence[str] = MARKS) -> list[str]:
    """Return the files below a folder in which a word stands, in their bytes or in their rows.

    Parquet is searched twice: as it lies there, and unpacked, each column with its statistics.
    """
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        texts: Iterable[str | bytes] = (path.name, path.read_bytes())
        if path.suffix == ".parquet":
            texts = (*texts, "\n".join(_unpacked(path)))
        if any(marks_in(text, words) for text in texts):
            found.append(str(path.relative_to(folder)))
    return found


def _unpacked(path: Path) -> Iterator[str]:
    file = pq.ParquetFile(path)
    yield from _texts(file.metadata.to_dict())
    for row in file.read().to_pylist():
        yield from _texts(row)


def _texts(value: Any) -> Iterator[str]:
    """Yield all that a value is made of, as text, in no order."""
    inside = [value]
    while inside:
        value = inside.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            inside += value.keys()
            inside += value.values()
        elif isinstance(value, list | tuple):
            inside += value
        else:
            yield value.decode("latin-1") if isinstance(value, bytes) else str(value)
