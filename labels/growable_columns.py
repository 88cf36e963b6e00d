"""Columns and texts in memory, which grow at the end and may lose rows in the middle.

A million small Python objects take hundreds of megabytes; the same data in columns takes tens.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_Array = npt.NDArray[Any]

ColumnLayout = Mapping[str, tuple[type[np.generic], int]]
"""The type of each column, and its number of values per row."""

_MIN_ROWS = 256


class GrowableColumns:
    """Arrays of one length, by name. They grow by an eighth, so little memory is unused."""

    def __init__(self, layout: ColumnLayout) -> None:
        self._arrays: dict[str, _Array] = {
            name: np.zeros((_MIN_ROWS, width) if width > 1 else _MIN_ROWS, dtype)
            for name, (dtype, width) in layout.items()
        }
        self.count = 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, name: str) -> _Array:
        """Return a column, as a view that is writable until the next ``append``."""
        return self._arrays[name][: self.count]

    @property
    def nbytes(self) -> int:
        """Return the bytes of memory in use, including the space kept for growth."""
        return sum(array.nbytes for array in self._arrays.values())

    def append(self, rows: int) -> slice:
        """Add rows and return their positions. The caller must set their values."""
        start, self.count = self.count, self.count + rows
        for name, array in self._arrays.items():
            if len(array) < self.count:
                size = max(self.count, len(array) + len(array) // 8)
                grown = np.zeros((size, *array.shape[1:]), array.dtype)
                grown[:start] = array[:start]
                self._arrays[name] = grown
        return slice(start, self.count)

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Keep only the rows in the mask."""
        for name, array in self._arrays.items():
            remaining = array[: self.count][mask]
            spare_rows = max(_MIN_ROWS - len(remaining), 0)
            spare = np.zeros((spare_rows, *array.shape[1:]), array.dtype)
            self._arrays[name] = np.concatenate([remaining, spare])
        self.count = int(mask.sum())


class GrowableTexts:
    """Texts by row number, concatenated in one block of bytes."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = GrowableColumns({"end": (np.int64, 1)})

    @property
    def nbytes(self) -> int:
        """Return the bytes of memory in use."""
        return self._bytes.__sizeof__() + self._ends.nbytes

    def __getitem__(self, row: int) -> str:
        ends = self._ends["end"]
        start = int(ends[row - 1]) if row else 0
        return self._bytes[start : int(ends[row])].decode("utf-8", "surrogatepass")

    def append(self, texts: Iterable[str]) -> None:
        """Add texts at the end."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        start = len(self._bytes)
        self._bytes += b"".join(encoded)
        where = self._ends.append(len(encoded))
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        self._ends["end"][where] = start + np.cumsum(lengths)

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Keep only the texts in the mask."""
        offsets = np.concatenate([[0], self._ends["end"]]).astype(np.int64)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self._bytes)]
        old = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(mask), buffers)
        new = old.filter(pa.array(mask))
        ends = np.frombuffer(new.buffers()[1], np.int64)[1 : len(new) + 1]
        self._bytes = bytearray(new.buffers()[2] or b"")[: int(ends[-1]) if len(ends) else 0]
        self._ends.keep(mask)
        self._ends["end"][:] = ends
