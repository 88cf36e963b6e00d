"""Where files are put: a folder or an S3 bucket, behind a handful of verbs.

A put is atomic (a reader sees the whole file or none) and may be repeated: a path is only ever
written with one content, since the names of files hold a hash of what is in them. A path that two
may want to write with different contents takes ``put_new``: one of them gets it.
"""

import contextlib
import errno
import fcntl
import io
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import boto3.session
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lake import s3_versions
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
_BESIDE = ".writing-"
_SWAPPED_BY_ANOTHER = {"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "404"}
_NO_CONNECTION = {"EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError"}
_UNREACHABLE = ": does the server run, and is GOLDPAN_LAKE__S3_ENDPOINT_URL its address?"


class ObjectStore(Protocol):
    """Files under one root, by relative path with ``/``."""

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Write a file whole, or raise RetryableError or FatalError and leave none behind."""

    def put_new(self, path: str, data: bytes) -> bool:
        """Write a file whole if there is none; return whether ``data`` is what is there now.

        False: another content was there first, and stays. Otherwise as ``put``.
        """

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Write ``new`` in the place of ``old``; return whether ``new`` is what is there now.

        False: another content is there, or none, and stays so. Of two that swap the same content
        one gets it. Otherwise as ``put``.
        """

    def size(self, path: str) -> int | None:
        """Return the size in bytes, or None if there is no such file."""

    def get(self, path: str) -> bytes:
        """Return the content of a file."""

    def find(self, path: str) -> bytes | None:
        """Return the content of a file, or None if there is no such file."""

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield (path, size in bytes) of each file whose path begins with ``prefix``."""

    def remove(self, path: str) -> None:
        """Remove a file; it is no error if there is none. An empty folder goes with its last."""

    def purge(self, path: str) -> None:
        """Remove a file with all its older versions, where a bucket keeps those."""

    def hidden(self, prefix: str) -> Iterator["Hidden"]:
        """Yield the older versions under ``prefix`` that a bucket keeps, deleted files included."""

    def get_hidden(self, hidden: "Hidden") -> bytes:
        """Return the content of an older version."""

    def remove_hidden(self, hidden: "Hidden") -> None:
        """Remove an older version; it is no error if there is none."""

    def drop_unfinished(self, prefix: str) -> int:
        """Remove what writes under ``prefix`` left that never came to their end; return how many.

        A write that is still under way fails by it as if the store had given no answer: it is
        tried again.
        """

    def check(self) -> None:
        """Raise FatalError or RetryableError if the root cannot be used."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """An older version of a file. ``bytes`` is its size; a note of a deletion has none."""

    path: str
    version: str
    bytes: int
    marker: bool


class FolderStore:
    """Files in a local folder; each is synced to the disk before it appears under its name."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Write through a temporary file beside the target, then rename."""
        target = self._root / path
        with self._written(target, data) as beside:
            beside.replace(target)

    def put_new(self, path: str, data: bytes) -> bool:
        """Write through a temporary file beside the target, then give it a name that is free.

        What is there already stays, so it is read first: a disk may be full.
        """
        found = self.find(path)
        if found is not None:
            return found == data
        target = self._root / path
        with self._written(target, data) as beside:
            try:
                target.hardlink_to(beside)
            except FileExistsError:
                return target.read_bytes() == data
        return True

    def swap(self, path: str, old: bytes, new: bytes) -> bool:
        """Compare and rename under a lock on the folder, which goes with the process."""
        target = self._root / path
        with self._written(target, new) as beside, _locked(target.parent):
            found = self.find(path)
            if found == old:
                beside.replace(target)
        return found in {old, new}

    @contextlib.contextmanager
    def _written(self, target: Path, data: bytes | memoryview) -> Iterator[Path]:
        """Yield a synced file beside the target; it is gone in the end unless it was renamed."""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f"{_BESIDE}{secrets.token_hex(8)}")
            file = beside.open("xb")  # not of tempfile, whose files only their owner may read
        except OSError as error:
            raise _folder_error(target.parent, error) from error
        try:
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield beside
        except OSError as error:
            raise _folder_error(target, error) from error
        finally:
            with contextlib.suppress(OSError):
                beside.unlink()

    def size(self, path: str) -> int | None:
        """Return the size in bytes, or None."""
        try:
            return (self._root / path).stat().st_size
        except FileNotFoundError:
            return None

    def get(self, path: str) -> bytes:
        """Return the content."""
        try:
            return (self._root / path).read_bytes()
        except OSError as error:
            raise _folder_error(self._root / path, error) from error

    def find(self, path: str) -> bytes | None:
        """Return the content, or None."""
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _folder_error(self._root / path, error) from error

    def walk(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Walk the folder that ``prefix`` names, in order of path."""
        start = self._root / prefix
        for path in sorted(start.rglob("*") if start.is_dir() else []):
            if path.is_file():
                yield path.relative_to(self._root).as_posix(), path.stat().st_size

    def remove(self, path: str) -> None:
        """Unlink, and remove the folders that are empty now, up to the root."""
        target = self._root / path
        try:
            target.unlink(missing_ok=True)
        except OSError as error:
            raise _folder_error(target, error) from error
        with contextlib.suppress(OSError):
            for folder in target.parents:
                if folder == self._root.parent:
                    break
                folder.rmdir()

    def purge(self, path: str) -> None:
        """Remove: a folder keeps no versions."""
        self.remove(path)

    def hidden(self, prefix: str) -> Iterator[Hidden]:
        """Yield nothing: a folder keeps no versions."""
        del prefix
        return iter(())

    def get_hidden(self, hidden: Hidden) -> bytes:
        """Raise ValueError: a folder keeps no versions."""
        raise ValueError(f"{hidden.path}: a folder keeps no versions")

    def remove_hidden(self, hidden: Hidden) -> None:
        """Do nothing: a folder keeps no versions."""

    def drop_unfinished(self, prefix: str) -> int:
        """Remove the temporary files of writers that died before they could rename them."""
        left = [path for path, _ in self.walk(prefix) if _BESIDE in path]
        for path in left:
            self.remove(path)
        return len(left)

    def check(self) -> None:
        """Make the folder if need be, and see that it can be written."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _folder_error(self._root, error) from error
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise FatalError(f"the lake folder {self._root} cannot be written: check its owner")


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
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + path)
        except ClientError as error:
            if _code(error) in {"404", "NoSuchKey"}:
                return None
            raise self._translated(f"looking for {path}", error) from error
        except BotoCoreError as error:
            raise self._translated(f"looking for {path}", error) from error
        return int(head["ContentLength"])

    def get(self, path: str) -> bytes:
        """Return the content."""
        with self._errors(f"reading {path}"):
            reply = self._client.get_object(Bucket=self._bucket, Key=self._prefix + path)
            return bytes(reply["Body"].read())

    def find(self, path: str) -> bytes | None:
        """Return the content, or None."""
        try:
            reply = self._client.get_object(Bucket=self._bucket, Key=self._prefix + path)
            return bytes(reply["Body"].read())
        except ClientError as error:
            if _code(error) in {"404", "NoSuchKey"}:
                return None
            raise self._translated(f"reading {path}", error) from error
        except (BotoCoreError, Boto3Error) as error:
            raise self._translated(f"reading {path}", error) from error

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


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _code(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ClientError):
        cause = cause.__context__
    return str(cause.response.get("Error", {}).get("Code", "")) if cause is not None else ""


def _folder_error(path: Path, error: OSError) -> RetryableError | FatalError:
    name = error.strerror or type(error).__name__
    never = isinstance(error, PermissionError | NotADirectoryError | FileExistsError)
    if never or error.errno == errno.EROFS:
        return FatalError(f"{path}: {name}: correct GOLDPAN_LAKE__URI or the folder's owner")
    return RetryableError(f"{path}: {name}")
