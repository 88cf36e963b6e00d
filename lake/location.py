"""The location of a lake: its URI, and the addresses, options and file stores of its tables.

The client of S3 is loaded only for a lake in a bucket: it is a tenth of a command's start.
"""

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from lake.objects import FolderStore, ObjectStore
from schemas.errors import UsageError

if TYPE_CHECKING:
    from lake.s3_store import S3Store

_S3_OPTIONS = {
    "timeout": "30s",
    "connect_timeout": "5s",
    "max_retries": "3",
    "retry_timeout": "30s",
    # The same chain as boto3: profiles, roles, containers. Without it, delta-rs reads keys from
    # variables only as soon as it has an endpoint.
    "aws_force_credential_load": "true",
}
_AMBIGUOUS = re.compile(r"%[0-9A-Fa-f]{2}|[#?\[\]\\^|\x00-\x1f\x7f]")
"""Characters that delta-rs, which reads an address as a URL, treats unlike boto3 and the system."""
_AMBIGUOUS_ON_S3 = re.compile(_AMBIGUOUS.pattern + r"|:|//|(?:^|/)\.{1,2}(?:/|$)")


@dataclass(frozen=True, slots=True)
class LakeLocation:
    """The root of a lake: a folder, or a prefix in a bucket."""

    uri: str
    s3_endpoint_url: str | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for an address that is ambiguous or of an unsupported kind."""
        rest = self.uri.partition("://")[2]
        if self.on_s3:
            ambiguous = _AMBIGUOUS_ON_S3.search(rest)
        elif rest and (
            ambiguous := re.search("[#?]", rest)
        ):  # the rest of a file:// would be cut off
            pass
        else:
            ambiguous = _AMBIGUOUS.search(str(self.folder))
        if ambiguous:
            raise UsageError(
                f"GOLDPAN_LAKE__URI: {ambiguous[0]!r} in the address {self.uri!r}, or in its "
                "folder, means different things to the libraries for tables and for files: choose "
                "an address without it"
            )

    @property
    def on_s3(self) -> bool:
        """Return whether the lake is in a bucket."""
        return urlsplit(self.uri).scheme in {"s3", "s3a"}

    @property
    def folder(self) -> Path | None:
        """Return the root folder of a local lake, None for a lake in a bucket.

        Raises UsageError for a URI of another kind.
        """
        parts = urlsplit(self.uri)
        if self.on_s3:
            return None
        if parts.scheme == "file":
            return Path(unquote(parts.path))
        if "://" in self.uri:
            raise UsageError(
                f"GOLDPAN_LAKE__URI: {parts.scheme}:// is not supported; "
                "give a folder, a file:// or an s3:// address"
            )
        return Path(self.uri).absolute()

    def is_within(self, path: Path) -> bool:
        """Return whether a local file is in the folder of the lake."""
        folder = self.folder
        return folder is not None and path.resolve().is_relative_to(folder.resolve())

    def table_uri(self, table: str) -> str:
        """Return the address of a table."""
        folder = self.folder
        return str(folder / table) if folder else f"{self.uri.rstrip('/')}/{table}"

    def table_options(self) -> dict[str, str]:
        """Return the options that delta-rs needs beside the usual AWS variables."""
        if not self.on_s3:
            return {}
        options = dict(_S3_OPTIONS)
        endpoint = self.s3_endpoint_url or self._bucket("").endpoint()
        if endpoint:
            options["aws_endpoint"] = endpoint
            if endpoint.startswith("http://"):
                options["aws_allow_http"] = "true"
        return options

    def files(self, table: str) -> ObjectStore:
        """Return the store of one table's files."""
        folder = self.folder
        if folder:
            return FolderStore(folder / table)
        return self._bucket(table)

    def _bucket(self, table: str) -> "S3Store":
        parts = urlsplit(self.uri)
        if not parts.netloc:
            raise UsageError(
                "GOLDPAN_LAKE__URI: an s3:// address needs a bucket: s3://bucket/prefix"
            )
        prefix = f"{parts.path.strip('/')}/{table}"
        store = cast("type[S3Store]", import_module("lake.s3_store").S3Store)
        return store(parts.netloc, prefix, endpoint_url=self.s3_endpoint_url)

    def check(self) -> None:
        """Raise FatalError or RetryableError if the root cannot be used."""
        self.files("").check()
