"""An S3 server in a Docker container, for machines without Go."""

from tests.servers.container import RestartableContainer

IMAGE = "minio/minio:RELEASE.2025-04-22T22-12-26Z"


class MinioContainer(RestartableContainer):
    """The same as ``VersityGateway``, from MinIO."""

    access_key, secret_key, region = "goldpan-test", "goldpan-test-secret", "us-east-1"

    def __init__(self) -> None:
        super().__init__(IMAGE, 9000)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        user = {"MINIO_ROOT_USER": self.access_key, "MINIO_ROOT_PASSWORD": self.secret_key}
        self.configure(user, "server /data")
