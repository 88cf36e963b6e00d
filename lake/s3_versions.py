"""What a bucket keeps beside the objects that one sees: older versions, and uploads not ended.

A bucket that keeps versions keeps what was deleted or written over, until each version is deleted
by its id; one that does not has a single version of each key, ``null``. The parts of an upload that
was never completed lie there as well, until it is aborted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """A version of a key. ``marker`` says that it is no content, but the note of a deletion."""

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

    The key itself goes first: on a bucket that keeps versions that makes one more, which goes too.
    """
    client.delete_object(Bucket=bucket, Key=key)
    for found in list(list_versions(client, bucket, key)):
        if found.key == key:
            client.delete_object(Bucket=bucket, Key=key, VersionId=found.version)


def abort_uploads(client: Any, bucket: str, prefix: str) -> int:
    """Abort all uploads under ``prefix`` that were not completed; return how many there were.

    Who is still at one of them is told so, and begins it again.
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
