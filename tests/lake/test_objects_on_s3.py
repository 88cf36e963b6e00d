"""What only a real S3 server can show of the store of files."""

from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from lake.objects import S3Store
from tests.lake.kit import patience
from tests.servers.s3 import S3


def test_a_new_file_on_s3_is_never_written_over(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server decides who was first, whatever order the requests came in."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the keys of other tests
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    store = S3Store(s3.create_bucket(), "lake/calibrations", endpoint_url=s3.endpoint)

    def put(number: int) -> bool:
        # A server may ask for patience while several make the same folder.
        return patience().call("putting", lambda: store.put_new("1.json", b"%d" % number))

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(put, range(8)))
    assert sum(won) == 1
    assert store.get("1.json") == b"%d" % won.index(True)
    assert store.put_new("1.json", store.get("1.json"))
