"""Lists and deletes older versions and unfinished uploads in an S3 bucket.

A versioned bucket keeps objects that were deleted or overwritten until each version is deleted by
its id; an unversioned one has a single version of each key, ``null``. The parts of an upload that
was not completed stay as well, until the upload is aborted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """A version of a key. ``marker``: it is a delete marker and has no content."""

    key: str
    version: str
    bytes: int
    latest: bool
    marker: bool


def list_versions(client: Any, bucket: str, prefix: str) -> Iterator[KeyVersion]:
    """Yield all versions of the keys that begin with ``prefix``; raises what boto3 raises."""
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for name, marker in (("Versions", False), ("DeleteMarkers", True)):
            for item in page.get(name, []):
                size, latest = int(item.get("Size", 0)), bool(item.get("IsLatest"))
                yield KeyVersion(item["Key"], item["VersionId"], size, latest, marker)


def purge_key(client: Any, bucket: str, key: str) -> None:
    """Delete a key with all its versions, so that none of its bytes is left; as `list_versions`.

    The key itself is deleted first: in a versioned bucket that adds a delete marker, which is
    deleted too.
    """
    client.delete_object(Bucket=bucket, Key=key)
    for item in list(list_versions(client, bucket, key)):
        if item.key == key:
            client.delete_object(Bucket=bucket, Key=key, VersionId=item.version)


def abort_uploads(client: Any, bucket: str, prefix: str) -> int:
    """Abort all unfinished uploads under ``prefix``; return how many there were.

    A writer whose upload is aborted gets an error, and starts it again.
    """
    count = 0
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for upload in page.get("Uploads", []):
            client.abort_multipart_upload(
                Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )
            count += 1
    return count
