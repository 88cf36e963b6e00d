"""Files in an S3 bucket, behind the verbs of `lake.objects`."""

import contextlib
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import boto3.session
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lake import s3_versions
from lake.objects import STAMP, Hidden
from schemas.errors import FatalError, RetryableError

MULTIPART_BYTES = 32 * 1024 * 1024
_REFUSED = {
    "AccessDenied": "access was denied: check the credentials and the bucket's policy",
    "InvalidAccessKeyId": "the access key is not known there: check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is wrong: check AWS_SECRET_ACCESS_KEY",
    "NoSuchBucket": "the bucket does not exist: create it or correct GOLDPAN_LAKE__URI",
    "404": "the bucket does not exist: create it or correct GOLDPAN_LAKE__URI",
    "403": "access was denied: check the credentials and the bucket's policy",
}
_MISSING = {"404", "NoSuchKey"}
_SWAPPED_BY_ANOTHER = {"PreconditionFailed", "ConditionalRequestConflict", *_MISSING}
_NO_CONNECTION = {"EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError"}
_UNREACHABLE = ": does the server run, and is GOLDPAN_LAKE__S3_ENDPOINT_URL its address?"


class S3Store:
    """Files under ``s3://bucket/prefix``."""

    def __init__(self, bucket: str, prefix: str, *, endpoint_url: str | None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        # A session of its own: boto3's default one keeps the credentials that it saw first.
        self._client: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint_url,
            config=Config(
                connect_timeout=5,
                read_timeout=30,
                retries={"mode": "standard", "total_max_attempts": 2},
            ),
        )
        self._transfer = TransferConfig(
            multipart_threshold=MULTIPART_BYTES,
            multipart_chunksize=MULTIPART_BYTES,
            max_concurrency=2,
        )

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Upload in one request, or in parts where it is large."""
        with self._errors(f"writing {path}"):
            self._client.upload_fileobj(
                io.BytesIO(data), self._bucket, self._prefix + path, Config=self._transfer
            )

    def put_new(self, path: str, data: bytes) -> bool:
        """Upload in one request, on the condition that there is no such key.

        A refusal may be the echo of one's own request, sent again after its reply was lost; so what
        is there decides.
        """
        with self._errors(f"writing {path}"):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=self._prefix + path, Body=data, IfNoneMatch="*"
                )
            except ClientError as error:
                if _code(error) != "PreconditionFailed":
                    raise
            else:
                return True
        return self.get(path) == data

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Read, and upload in one request on the condition that the object is the one read."""
        key = self._prefix + path
        with self._errors(f"writing {path}"):
            try:
                reply = self._client.get_object(Bucket=self._bucket, Key=key)
                found = bytes(reply["Body"].read())
                if found == old != new:
                    self._client.put_object(
                        Bucket=self._bucket, Key=key, Body=new, IfMatch=reply["ETag"]
                    )
            except ClientError as error:
                if _code(error) not in _SWAPPED_BY_ANOTHER:
                    raise
            else:
                return found in {old, new}
        return self.find(path) == new  # the refusal may be the echo of one's own request

    def size(self, path: str) -> int | None:
        """Return the size in bytes, or None."""
        with self._errors(f"looking for {path}"):
            try:
                head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + path)
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
            return int(head["ContentLength"])

    def get(self, path: str) -> bytes:
        """Return the content."""
        with self._errors(f"reading {path}"):
            reply = self._client.get_object(Bucket=self._bucket, Key=self._prefix + path)
            return bytes(reply["Body"].read())

    def find(self, path: str) -> bytes | None:
        """Return the content, or None."""
        with self._errors(f"reading {path}"):
            try:
                reply = self._client.get_object(Bucket=self._bucket, Key=self._prefix + path)
            except ClientError as error:
                if _code(error) in _MISSING:
                    return None
                raise
            return bytes(reply["Body"].read())

    def stamp(self, path: str) -> int:
        """Upload an object, and read when the server says that it was written (whole seconds)."""
        self.put(path, STAMP)
        with self._errors(f"reading the time of {path}"):
            head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + path)
            written: datetime = head["LastModified"]
        return int(written.timestamp()) * 1_000_000

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Page through the keys."""
        with self._errors(f"listing {prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for item in page.get("Contents", []):
                    yield item["Key"].removeprefix(self._prefix), int(item["Size"])

    def remove(self, path: str) -> None:
        """Delete the key."""
        with self._errors(f"removing {path}"):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + path)

    def purge(self, path: str) -> None:
        """Delete the key and each version of it."""
        with self._errors(f"purging {path}"):
            s3_versions.purge(self._client, self._bucket, self._prefix + path)

    def hidden(self, prefix: str) -> Iterator[Hidden]:
        """Page through the versions that are not the latest, and the notes of deletions."""
        with self._errors(f"listing the versions of {prefix}"):
            for found in s3_versions.versions(self._client, self._bucket, self._prefix + prefix):
                if found.marker or not found.latest:
                    path = found.key.removeprefix(self._prefix)
                    yield Hidden(path, found.version, found.bytes, found.marker)

    def get_hidden(self, hidden: Hidden) -> bytes:
        """Return the content of a version."""
        with self._errors(f"reading a version of {hidden.path}"):
            reply = self._client.get_object(
                Bucket=self._bucket, Key=self._prefix + hidden.path, VersionId=hidden.version
            )
            return bytes(reply["Body"].read())

    def remove_hidden(self, hidden: Hidden) -> None:
        """Delete a version."""
        with self._errors(f"removing a version of {hidden.path}"):
            self._client.delete_object(
                Bucket=self._bucket, Key=self._prefix + hidden.path, VersionId=hidden.version
            )

    def drop_unfinished(self, prefix: str) -> int:
        """Abort the uploads in parts that were not completed."""
        with self._errors(f"aborting uploads under {prefix}"):
            return s3_versions.abort_uploads(self._client, self._bucket, self._prefix + prefix)

    def check(self) -> None:
        """Ask for the bucket."""
        with self._errors("looking for the bucket"):
            self._client.head_bucket(Bucket=self._bucket)

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error) as error:
            raise self._translated(what, error) from error

    def _translated(self, what: str, error: Exception) -> RetryableError | FatalError:
        where = f"s3://{self._bucket}: {what}"
        code = _code(error)
        if code in _REFUSED:
            return FatalError(f"{where}: {_REFUSED[code]}")
        if type(error).__name__ in {"NoCredentialsError", "PartialCredentialsError"}:
            return FatalError(f"{where}: no credentials: set AWS_ACCESS_KEY_ID and its secret")
        name = type(error).__name__
        hint = _UNREACHABLE if name in _NO_CONNECTION else ""
        return RetryableError(f"{where}: no good answer ({code or name}){hint}")


def _code(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ClientError):
        cause = cause.__context__
    return str(cause.response.get("Error", {}).get("Code", "")) if cause is not None else ""
