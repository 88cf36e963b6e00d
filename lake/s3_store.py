"""An `ObjectStore` for files in an S3 bucket."""

import contextlib
import functools
import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import boto3.session
import botocore.session
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader

from lake import s3_versions
from lake.objects import STAMP_CONTENT, HiddenVersion
from schemas.errors import FatalError, RetryableError, UsageError

_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
MULTIPART_BYTES = 32 * 1024 * 1024
_REFUSED = {
    "AccessDenied": "access was denied: check the credentials and the bucket's policy",
    "InvalidAccessKeyId": "the server does not know the access key: check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is wrong: check AWS_SECRET_ACCESS_KEY",
    "NoSuchBucket": "the bucket does not exist: create it or correct GOLDPAN_LAKE__URI",
    "404": "the bucket does not exist: create it or correct GOLDPAN_LAKE__URI",
    "403": "access was denied: check the credentials and the bucket's policy",
}
_HINTS = {
    "ExpiredToken": "the session token has expired: AWS_SESSION_TOKEN",
    "ExpiredTokenException": "the session token has expired: AWS_SESSION_TOKEN",
    "InvalidToken": "the server does not know the session token: AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
    "AuthorizationHeaderMalformed": "the region is another one: AWS_REGION, AWS_DEFAULT_REGION",
    "PermanentRedirect": "the bucket is in another region: AWS_REGION, AWS_DEFAULT_REGION",
    "InvalidBucketName": "GOLDPAN_LAKE__URI names no bucket",
    "SSLError": "the server's certificate is not trusted: AWS_CA_BUNDLE",
    "TokenRetrievalError": "the profile of AWS_PROFILE has no credentials",
    "CredentialRetrievalError": "the profile of AWS_PROFILE has no credentials",
    "NoAuthTokenError": "the profile of AWS_PROFILE has no credentials",
}
"""Hints for codes of S3, and for errors of boto3, that may pass by themselves."""
_FORBIDDEN = 403
_MISSING = {"404", "NoSuchKey"}
_SWAPPED_BY_ANOTHER = {"PreconditionFailed", "ConditionalRequestConflict", *_MISSING}
_NO_CONNECTION = {"EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError"}
_UNREACHABLE = ": check that the server is running and GOLDPAN_LAKE__S3_ENDPOINT_URL is correct"


class S3Store:
    """Files under ``s3://bucket/prefix``."""

    def __init__(self, bucket: str, prefix: str, *, endpoint_url: str | None) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        try:
            self._client: Any = _new_session().client(
                "s3",
                endpoint_url=endpoint_url,
                config=Config(
                    connect_timeout=5,
                    read_timeout=30,
                    retries={"mode": "standard", "total_max_attempts": 2},
                ),
            )
        except (BotoCoreError, ValueError) as error:
            # A missing profile, a settings file that cannot be read, an invalid region.
            raise UsageError(f"the AWS settings cannot be used: {error}") from None
        self._transfer = TransferConfig(
            multipart_threshold=MULTIPART_BYTES,
            multipart_chunksize=MULTIPART_BYTES,
            max_concurrency=2,
        )

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Upload in one request, or in parts if the file is large."""
        with self._errors(f"writing {path}"):
            self._client.upload_fileobj(
                io.BytesIO(data), self._bucket, self._prefix + path, Config=self._transfer
            )

    def put_new(self, path: str, data: bytes) -> bool:
        """Upload in one request, on the condition that the key does not exist.

        A refusal may be caused by the same request, sent again after its reply was lost. So the
        stored content decides.
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
                content = bytes(reply["Body"].read())
                if content == old != new:
                    self._client.put_object(
                        Bucket=self._bucket, Key=key, Body=new, IfMatch=reply["ETag"]
                    )
            except ClientError as error:
                if _code(error) not in _SWAPPED_BY_ANOTHER:
                    raise
            else:
                return content in {old, new}
        return self.find(path) == new  # a refusal may be caused by the same request, sent again

    def size(self, path: str) -> int | None:
        """Return the size in bytes, or None."""
        with self._errors(f"finding {path}"):
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
        """Upload an object and return the time that the server gave it (whole seconds)."""
        self.put(path, STAMP_CONTENT)
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
            s3_versions.purge_key(self._client, self._bucket, self._prefix + path)

    def hidden(self, prefix: str) -> Iterator[HiddenVersion]:
        """Page through the versions that are not the latest, and the delete markers."""
        with self._errors(f"listing the versions of {prefix}"):
            for item in s3_versions.list_versions(
                self._client, self._bucket, self._prefix + prefix
            ):
                if item.marker or not item.latest:
                    path = item.key.removeprefix(self._prefix)
                    yield HiddenVersion(path, item.version, item.bytes, item.marker)

    def get_hidden(self, hidden: HiddenVersion) -> bytes:
        """Return the content of a version."""
        with self._errors(f"reading a version of {hidden.path}"):
            reply = self._client.get_object(
                Bucket=self._bucket, Key=self._prefix + hidden.path, VersionId=hidden.version
            )
            return bytes(reply["Body"].read())

    def remove_hidden(self, hidden: HiddenVersion) -> None:
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
        """List one key: unlike HeadBucket, a refused listing comes with a reason."""
        with self._errors("finding the bucket"):
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def endpoint(self) -> str | None:
        """Return the server's address as boto3 resolved it, None for AWS itself.

        It may come from the settings, a variable, or the profile; delta-rs must use the same one.
        """
        url: str = self._client.meta.endpoint_url
        host = urlsplit(url).hostname or ""
        return None if host.endswith(_AWS) else url

    @contextlib.contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError, Boto3Error) as error:
            raise self._translate(action, error) from error

    def _translate(self, action: str, error: Exception) -> RetryableError | FatalError:
        where = f"s3://{self._bucket}: {action}"
        code = _code(error)
        if code in _REFUSED:
            return FatalError(f"{where}: {_REFUSED[code]}")
        if type(error).__name__ in {"NoCredentialsError", "PartialCredentialsError"}:
            return FatalError(f"{where}: no credentials: set AWS_ACCESS_KEY_ID and its secret")
        if _status(error) == _FORBIDDEN and code not in _HINTS:
            return FatalError(f"{where}: {_REFUSED['403']} ({code})")
        name = type(error).__name__
        hint = _UNREACHABLE if name in _NO_CONNECTION else ""
        if (code or name) in _HINTS:
            hint = f": {_HINTS[code or name]}"
        return RetryableError(f"{where} failed ({code or name}){hint}")


def _new_session() -> boto3.session.Session:
    """Return a session of its own: boto3's default one keeps the credentials that it read first.

    The descriptions of the services are large files, so the sessions share what has read them.
    """
    session = botocore.session.Session()
    models = _service_models(session.get_config_variable("data_path"))
    session.register_component("data_loader", models)
    found = boto3.session.Session(botocore_session=session)
    models.search_paths[:] = dict.fromkeys(models.search_paths)  # each session adds boto3's own
    return found


@functools.cache
def _service_models(data_path: str | None) -> Loader:
    return create_loader(data_path)


def _code(error: Exception) -> str:
    return str(_reply(error).get("Error", {}).get("Code", ""))


def _status(error: Exception) -> int | None:
    status: int | None = _reply(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _reply(error: Exception) -> Mapping[str, Any]:
    """Return the server's reply; empty if the error is not one of the server."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ClientError):
        cause = cause.__context__
    return {} if cause is None else cause.response
