"""The faulty S3 does to chosen requests what it says, counts it, and leaves all others alone."""

import threading

import deltalake
import pyarrow as pa
import pytest
from botocore.exceptions import ClientError, HTTPClientError

from tests.servers.s3 import S3
from tests.servers.s3_faults import Fault, FaultyS3

BIG = bytes(range(256)) * 40_000
"""10 MB: several pieces."""


def status_of_put(s3: S3, proxy: FaultyS3, bucket: str, *, attempts: int = 1) -> int | None:
    """Status that a client gets for a conditional PUT of ``key``, None if it gets no answer."""
    client = s3.client(proxy.endpoint, attempts)
    try:
        client.put_object(Bucket=bucket, Key="key", Body=b"mine", IfNoneMatch="*")
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    except HTTPClientError:
        return None
    return 200


def exists(s3: S3, bucket: str) -> bool:
    """Whether ``key`` is there, asked without the proxy."""
    return bool(s3.client().list_objects_v2(Bucket=bucket)["KeyCount"] == 1)


@pytest.fixture
def fresh_bucket(s3: S3) -> str:
    """A bucket of the test's own."""
    return s3.create_bucket()


def test_without_rules_nothing_changes(s3: S3, faulty_s3: FaultyS3, fresh_bucket: str) -> None:
    """Large bodies, part uploads, listings, HEAD and DELETE come through signed and whole."""
    client = s3.client(faulty_s3.endpoint)
    client.put_object(Bucket=fresh_bucket, Key="a b/ü", Body=BIG)  # with Expect: 100-continue
    assert client.get_object(Bucket=fresh_bucket, Key="a b/ü")["Body"].read() == BIG
    assert client.head_object(Bucket=fresh_bucket, Key="a b/ü")["ContentLength"] == len(BIG)
    upload = client.create_multipart_upload(Bucket=fresh_bucket, Key="parts")["UploadId"]
    where = {"Bucket": fresh_bucket, "Key": "parts", "UploadId": upload}
    part = client.upload_part(**where, PartNumber=1, Body=BIG)
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    keys = [o["Key"] for o in client.list_objects_v2(Bucket=fresh_bucket)["Contents"]]
    assert keys == ["a b/ü", "parts"]
    client.delete_object(Bucket=fresh_bucket, Key="parts")
    assert len(s3.client().list_objects_v2(Bucket=fresh_bucket)["Contents"]) == 1
    with pytest.raises(ClientError):
        client.head_object(Bucket=fresh_bucket, Key="parts")


@pytest.mark.parametrize(
    ("fault", "status", "written"),
    [
        (Fault.ERROR_500, 500, False),
        (Fault.ERROR_503, 503, False),
        (Fault.SLOW_DOWN, 503, False),
        (Fault.CLOSE, None, False),
        (Fault.HANG, None, False),
        (Fault.DELAY, 200, True),
        (Fault.DROP_REPLY, None, True),
        (Fault.STALL_REPLY, None, True),
        (Fault.ERROR_500_AFTER, 500, True),
    ],
)
def test_each_fault_does_what_it_says(
    s3: S3, faulty_s3: FaultyS3, fault: Fault, status: int | None, written: bool
) -> None:
    """What the client is told, and whether the object is there, can be apart."""
    bucket = s3.create_bucket()
    rule = faulty_s3.inject(fault, "PUT", "/key$", seconds=0.2)
    assert status_of_put(s3, faulty_s3, bucket) == status
    assert exists(s3, bucket) is written
    assert len(rule.done) == 1
    after = {Fault.DROP_REPLY, Fault.STALL_REPLY, Fault.ERROR_500_AFTER}
    assert rule.done[0].status == (200 if fault in after else None)


@pytest.mark.parametrize("fault", [Fault.ERROR_500_AFTER, Fault.DROP_REPLY])
def test_a_retry_can_meet_412_for_its_own_write(
    s3: S3, faulty_s3: FaultyS3, fresh_bucket: str, fault: Fault
) -> None:
    """The write lands, its reply does not, and the client's second try is refused."""
    faulty_s3.inject(fault, "PUT", "/key$")
    assert status_of_put(s3, faulty_s3, fresh_bucket, attempts=2) == 412
    assert [one.status for one in faulty_s3.exchanges("PUT", "/key$")] == [200, 412]


def test_a_rule_takes_the_nth_match_and_so_many(
    s3: S3, faulty_s3: FaultyS3, fresh_bucket: str
) -> None:
    """The first is spared, the next two are hit, the rest is spared; other paths never count."""
    rule = faulty_s3.inject(Fault.SLOW_DOWN, "PUT", r"/key\.\d", nth=2, times=2)
    client = s3.client(faulty_s3.endpoint, attempts=1)
    client.put_object(Bucket=fresh_bucket, Key="other", Body=b"")
    refused = []
    for n in range(5):
        try:
            client.put_object(Bucket=fresh_bucket, Key=f"key.{n}", Body=b"")
        except ClientError:
            refused.append(n)
    assert refused == [1, 2]
    assert rule.seen == 5
    assert [one.path for one in rule.done] == [f"/{fresh_bucket}/key.1", f"/{fresh_bucket}/key.2"]


def test_a_request_that_hangs_can_be_waited_for(
    s3: S3, faulty_s3: FaultyS3, fresh_bucket: str
) -> None:
    """A test can act while a write hangs, and the end of the proxy lets it go."""
    rule = faulty_s3.inject(Fault.DELAY, "PUT", "/key$", seconds=300)
    answers: list[int | None] = []
    writer = threading.Thread(
        target=lambda: answers.append(status_of_put(s3, faulty_s3, fresh_bucket)), daemon=True
    )
    writer.start()
    rule.wait()
    assert not exists(s3, fresh_bucket)
    faulty_s3.close()
    writer.join(20)
    assert answers == [None]


def test_a_server_that_is_gone_closes_the_connection(own_s3: S3) -> None:
    """The proxy's address stays while the server is killed and started again."""
    bucket = own_s3.create_bucket()
    with FaultyS3(own_s3.endpoint) as proxy:
        own_s3.kill()
        assert status_of_put(own_s3, proxy, bucket) is None
        own_s3.restart()
        assert status_of_put(own_s3, proxy, bucket) == 200


def test_deltalake_commits_through_it(s3: S3, faulty_s3: FaultyS3, fresh_bucket: str) -> None:
    """The client that matters signs and retries through the proxy."""
    uri, options = f"s3://{fresh_bucket}/table", s3.env(faulty_s3.endpoint)
    rule = faulty_s3.inject(Fault.ERROR_503, "PUT", r"\.parquet$")
    deltalake.write_deltalake(uri, pa.table({"a": [1, 2]}), storage_options=options)
    assert len(rule.done) == 1
    table = deltalake.DeltaTable(uri, storage_options=s3.env())
    assert table.to_pyarrow_table().num_rows == 2
