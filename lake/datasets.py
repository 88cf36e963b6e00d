"""Opens the data files of a table as a pyarrow dataset that any thread can read.

`pyarrow.dataset.Scanner.to_reader` holds the GIL while it starts a scan (`scan_batches` does not).
Files that are read through Python, such as those that delta-rs opens, need the GIL: the scan and
the read could deadlock. DuckDB starts its scans with `to_reader`.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
from deltalake import DeltaTable


def open_dataset(handle: DeltaTable, **options: Any) -> ds.Dataset:
    """Return the files of a handle's version, with options of ``to_pyarrow_dataset``.

    Arrow reads files in a local folder itself; elsewhere delta-rs reads them.
    """
    address = urlsplit(handle.table_uri)
    if address.scheme not in {"", "file"}:
        remote = handle.to_pyarrow_dataset(**options)
        return _Files(list(remote.get_fragments()), remote.schema, remote.format, remote.filesystem)
    folder = unquote(address.path) if address.scheme else handle.table_uri
    local = pafs.SubTreeFileSystem(folder, pafs.LocalFileSystem())
    return handle.to_pyarrow_dataset(filesystem=local, **options)


def local_paths(dataset: ds.Dataset) -> list[str] | None:
    """Return the paths of the files of a dataset; None if they do not lie in a local folder."""
    files = dataset.filesystem
    if not isinstance(files, pafs.SubTreeFileSystem):
        return None
    if not isinstance(files.base_fs, pafs.LocalFileSystem):
        return None
    return [f"{files.base_path}{path}" for path in dataset.files]


class _Files(ds.FileSystemDataset):  # type: ignore[misc]  # pyarrow has no types
    """A dataset whose scans start without the GIL."""

    def scanner(self, *arguments: Any, **options: Any) -> Any:
        """Return a scanner; see :class:`pyarrow.dataset.Dataset`."""
        return _Scan(super().scanner(*arguments, **options))


class _Scan:
    """A scanner whose reader starts without the GIL."""

    def __init__(self, scanner: ds.Scanner) -> None:
        self._scanner = scanner

    def to_reader(self) -> pa.RecordBatchReader:
        """Return a reader of the batches."""
        batches = self._scanner.to_batches()
        return pa.RecordBatchReader.from_batches(self._scanner.projected_schema, batches)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scanner, name)
