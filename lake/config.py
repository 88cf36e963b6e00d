"""Settings of the lake: where the tables are stored."""

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.settings import SettingsGroup

_SCHEMES = ("file", "s3")
_NO_FOLDER = re.compile(r"[$~]|%[A-Za-z_]+%|\{\{|<\w|[A-Za-z][A-Za-z0-9+.-]+:(?!//)")
"""How an address begins that only a shell, a template or another tool would expand."""


class LakeSettings(SettingsGroup):
    """Where the tables are stored. AWS credentials come from the usual AWS variables."""

    uri: str = Field(
        default="goldpan-lake",
        min_length=1,
        description="A folder, `file://…` or `s3://bucket/prefix`; "
        "each table is at `<uri>/<table>`.",
    )
    create: Literal["if_missing", "never"] = Field(
        default="if_missing",
        description="Whether a worker creates missing tables. With `never` it stops, so that a "
        "mistyped `uri` does not become a new lake; `goldpan lake init` creates them.",
    )
    releases_uri: str | None = Field(
        default=None,
        min_length=1,
        description="Where releases are published, if not at `<uri>/releases`: a folder or "
        "`s3://bucket/prefix`.",
    )
    erasures_copy: str | None = Field(
        default=None,
        min_length=1,
        description="Second place for tombstones and receipts of erasures, outside the lake and "
        "its backups: a folder or `s3://bucket/prefix`. A lake that is older than its erasures is "
        "not opened.",
    )
    s3_endpoint_url: str | None = Field(
        default=None,
        description="Address of an S3 server other than AWS, such as `http://minio:9000`.",
    )

    @field_validator("uri", "releases_uri", "erasures_copy")
    @classmethod
    def _known_scheme(cls, uri: str | None) -> str | None:
        if uri is None:
            return None
        if _NO_FOLDER.match(uri) or "${" in uri:
            raise ValueError(
                "must be a folder, or begin with file:// or s3://; $NAME and ~ are not expanded"
            )
        scheme, separator, rest = uri.partition("://")
        if not separator:
            return uri
        if scheme not in _SCHEMES:
            raise ValueError("must be a folder, or begin with file:// or s3://")
        if not rest.strip("/"):
            raise ValueError(
                f"names no {'bucket' if scheme == 's3' else 'folder'} after {scheme}://"
            )
        if scheme == "file" and not rest.startswith(("/", "localhost/")):
            raise ValueError("must name a folder of this machine, as in file:///data/lake")
        return uri.rstrip("/")

    @model_validator(mode="after")
    def _copy_is_outside(self) -> Self:
        inside = f"{self.erasures_copy}/".startswith(f"{self.uri}/")
        if self.erasures_copy is not None and inside:
            raise ValueError("erasures_copy must lie outside of uri, or a backup would hold it too")
        return self

    @field_validator("s3_endpoint_url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url
