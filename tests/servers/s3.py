"""A real S3 server for the tests, whichever way this machine can have it."""

import time
import uuid
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.container import docker_answers, pull
from tests.servers.minio_container import IMAGE, MinioContainer
from tests.servers.unavailable import ServerUnavailableError
from tests.servers.versitygw import VersityGateway, versitygw_binary

_READY_SECONDS = 60


class Gateway(Protocol):
    """A server that can be started, stopped and killed. It keeps its address and its objects."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str

    @property
    def alive(self) -> bool:
        """Whether it runs."""

    def start(self) -> None:
        """Start it, without waiting until it answers."""

    def stop(self) -> None:
        """Ask it to end, and wait."""

    def kill(self) -> None:
        """End it without asking."""

    def tail(self) -> str:
        """The end of its log."""


def prepare_s3() -> Path | None:
    """Fetch what a server needs: a program, or None where Docker will do it.

    Raises ServerUnavailableError where neither way is open.
    """
    try:
        return versitygw_binary()
    except ServerUnavailableError as missing:
        if not docker_answers():
            raise ServerUnavailableError(f"{missing}; and no Docker daemon answers") from None
    pull(IMAGE, "a real S3 server")
    return None


def make_s3(binary: Path | None, folder: Path) -> "S3":
    """A server, not yet started. ``binary`` is what ``prepare_s3`` gave."""
    return S3(VersityGateway(binary, folder) if binary is not None else MinioContainer())


class S3:
    """A server, and what a client needs to reach it."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.endpoint = gateway.endpoint

    def start(self) -> "S3":
        """Start it and wait until it answers."""
        self.gateway.start()
        deadline = time.monotonic() + _READY_SECONDS
        while not self.answers():
            if not self.gateway.alive or time.monotonic() > deadline:
                raise AssertionError(f"the S3 server does not answer\n{self.gateway.tail()}")
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """SIGTERM, and wait until it has ended."""
        self.gateway.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self.gateway.kill()

    def restart(self) -> None:
        """Start it again, on the same port with the same objects. Stops it first if it runs."""
        if self.gateway.alive:
            self.stop()
        self.start()

    def close(self) -> None:
        """Kill it and remove what it leaves outside its folder."""
        self.gateway.kill()
        if isinstance(self.gateway, MinioContainer):
            self.gateway.remove()

    def answers(self) -> bool:
        """Whether it lists its buckets for its credentials."""
        try:
            self.client(attempts=1).list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True

    def client(self, endpoint: str | None = None, attempts: int = 3) -> Any:
        """A boto3 client; ``endpoint`` is another way to the same server, as through a proxy."""
        return boto3.client(
            "s3",
            endpoint_url=endpoint or self.endpoint,
            aws_access_key_id=self.gateway.access_key,
            aws_secret_access_key=self.gateway.secret_key,
            region_name=self.gateway.region,
            config=Config(
                retries={"total_max_attempts": attempts},
                s3={"addressing_style": "path"},
                connect_timeout=5,
                read_timeout=30,
            ),
        )

    def create_bucket(self, name: str | None = None) -> str:
        """Make a bucket, with a name of its own unless one is given, and give its name."""
        bucket = name or f"test-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=bucket)
        return bucket

    def new_lake(self) -> str:
        """``s3://`` address of a folder in a bucket of its own."""
        return f"s3://{self.create_bucket()}/lake"

    def env(self, endpoint: str | None = None) -> dict[str, str]:
        """Environment with which goldpan reaches the server; deltalake takes the AWS part too."""
        where = endpoint or self.endpoint
        return {
            "AWS_ACCESS_KEY_ID": self.gateway.access_key,
            "AWS_SECRET_ACCESS_KEY": self.gateway.secret_key,
            "AWS_REGION": self.gateway.region,
            "AWS_ENDPOINT_URL": where,
            "AWS_ALLOW_HTTP": "true",
            "GOLDPAN_LAKE__S3_ENDPOINT_URL": where,
        }
