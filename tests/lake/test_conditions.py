"""A server that does not keep to the condition of a put is found out before anything is written."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, cast

import boto3
import pytest

from lake.conditional_put_probe import PROBE_FILE, probe_conditional_put
from lake.config import LakeSettings
from lake.objects import FolderStore
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake
from schemas.errors import FatalError
from tests.servers.http_forward import forward, request_body, send_back
from tests.servers.s3 import S3
from tests.servers.worker import run_goldpan


@pytest.fixture
def careless(s3: S3) -> Iterator[str]:
    """A way to the server on which what is there never stands in the way of a put."""
    address = s3.endpoint.removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

        def serve(self) -> None:
            body = list(request_body(self.headers, cast("BinaryIO", self.rfile)))
            if self.headers.get("If-None-Match"):
                bucket, _, key = self.path.partition("?")[0].lstrip("/").partition("/")
                s3.client().delete_object(Bucket=bucket, Key=key)
            send_back(self, forward(self, address, body))

        do_GET = do_HEAD = do_PUT = do_POST = serve  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_server_that_ignores_conditions_is_refused(s3: S3, careless: str) -> None:
    """`lake init` stops with one sentence, every time, and makes no table."""
    lake = s3.new_lake()
    for _ in range(2):
        done = run_goldpan({"GOLDPAN_LAKE__URI": lake, **s3.env(careless)}, "lake", "init")
        assert done.returncode == 3
        assert "If-None-Match" in done.stderr
        assert "Traceback" not in done.stderr
    bucket = lake.removeprefix("s3://").partition("/")[0]
    found = s3.client().list_objects_v2(Bucket=bucket)["Contents"]
    assert [item["Key"] for item in found] == [f"lake/{PROBE_FILE}"]


def test_a_server_that_keeps_to_them_is_used(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked, the tables are made; the question leaves one file."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the keys of other tests
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    lake = Lake(LakeSettings(uri=s3.new_lake(), s3_endpoint_url=s3.endpoint))
    assert set(lake.init()) == set(TABLE_LAYOUTS)
    assert lake.init() == []
    assert [path for path, _ in lake.location.files("").walk(".")] == [PROBE_FILE]


class _Careless(FolderStore):
    def put_new(self, path: str, data: bytes) -> bool:
        self.put(path, data)
        return True


def test_the_question_has_both_answers(tmp_path: Path) -> None:
    """A folder keeps to conditions; one that does not is found at the first and any later look."""
    probe_conditional_put(FolderStore(tmp_path / "good"))
    probe_conditional_put(FolderStore(tmp_path / "good"))
    for _ in range(2):
        with pytest.raises(FatalError, match="If-None-Match"):
            probe_conditional_put(_Careless(tmp_path / "bad"))
    probe_conditional_put(FolderStore(tmp_path / "bad"))  # mended
