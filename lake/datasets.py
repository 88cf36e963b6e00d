"""The data files of a table as a pyarrow dataset."""

from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow.dataset as ds
import pyarrow.fs as pafs
from deltalake import DeltaTable


def dataset_of(handle: DeltaTable, **options: Any) -> ds.Dataset:
    """Return the files of a handle's version, with options of ``to_pyarrow_dataset``.

    Arrow itself reads the files of a folder. The reader that delta-rs brings calls back into
    Python, and pyarrow holds Python's lock while DuckDB makes it begin a scan: each of the two can
    wait for the other for ever.
    """
    address = urlsplit(handle.table_uri)
    if address.scheme not in {"", "file"}:
        return handle.to_pyarrow_dataset(**options)
    folder = unquote(address.path) if address.scheme else handle.table_uri
    here = pafs.SubTreeFileSystem(folder, pafs.LocalFileSystem())
    return handle.to_pyarrow_dataset(filesystem=here, **options)
