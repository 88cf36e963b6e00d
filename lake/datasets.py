"""The data files of a table as a pyarrow dataset that can be read from any thread.

`pyarrow.dataset.Scanner.to_reader` holds Python's lock while it begins a scan (`scan_batches` does
not). Files that are read by way of Python, as those that delta-rs opens, need that lock: the scan
and the reading of a file could wait for each other for ever. DuckDB begins its scans so.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
from deltalake import DeltaTable


def open_dataset(handle: DeltaTable, **options: Any) -> ds.Dataset:
    """Return the files of a handle's version, with options of ``to_pyarrow_dataset``.

    Arrow itself reads those of a folder; elsewhere delta-rs does.
    """
    address = urlsplit(handle.table_uri)
    if address.scheme not in {"", "file"}:
        found = handle.to_pyarrow_dataset(**options)
        return _Files(list(found.get_fragments()), found.schema, found.format, found.filesystem)
    folder = unquote(address.path) if address.scheme else handle.table_uri
    here = pafs.SubTreeFileSystem(folder, pafs.LocalFileSystem())
    return handle.to_pyarrow_dataset(filesystem=here, **options)


class _Files(ds.FileSystemDataset):  # type: ignore[misc]  # pyarrow has no types
    """A dataset whose scans begin without Python's lock."""

    def scanner(self, *arguments: Any, **options: Any) -> Any:
        """Return a scanner; see :class:`pyarrow.dataset.Dataset`."""
        return _Scan(super().scanner(*arguments, **options))


class _Scan:
    """A scanner, but for how its reader begins."""

    def __init__(self, scanner: ds.Scanner) -> None:
        self._scanner = scanner

    def to_reader(self) -> pa.RecordBatchReader:
        """Return a reader of the batches."""
        batches = self._scanner.to_batches()
        return pa.RecordBatchReader.from_batches(self._scanner.projected_schema, batches)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scanner, name)
