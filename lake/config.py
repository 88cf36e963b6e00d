"""Settings of the lake: where the tables lie."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

_SCHEMES = ("file", "s3")


class LakeSettings(BaseModel):
    """Where the tables are kept. AWS credentials come from the usual AWS variables."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    uri: str = Field(
        default="goldpan-lake",
        min_length=1,
        description="A folder, `file://…` or `s3://bucket/prefix`; "
        "each table lies at `<uri>/<table>`.",
    )
    create: Literal["if_missing", "never"] = Field(
        default="if_missing",
        description="Whether a worker makes the tables that are missing; with `never` it stops, so "
        "that a mistyped `uri` is not a new lake, and `goldpan lake init` makes them.",
    )
    releases_uri: str | None = Field(
        default=None,
        min_length=1,
        description="Where releases are published, if not at `<uri>/releases`: a folder or "
        "`s3://bucket/prefix`.",
    )
    s3_endpoint_url: str | None = Field(
        default=None,
        description="Address of an S3 server that is not AWS, such as `http://minio:9000`.",
    )

    @field_validator("uri", "releases_uri")
    @classmethod
    def _known_scheme(cls, uri: str | None) -> str | None:
        if uri is None:
            return None
        scheme, separator, rest = uri.partition("://")
        if not separator:
            return uri
        if scheme not in _SCHEMES:
            raise ValueError("must be a folder, or begin with file:// or s3://")
        if not rest.strip("/"):
            raise ValueError(
                f"names no {'bucket' if scheme == 's3' else 'folder'} after {scheme}://"
            )
        return uri.rstrip("/")

    @field_validator("s3_endpoint_url")
    @classmethod
    def _is_http(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return url
