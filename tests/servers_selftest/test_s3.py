"""The S3 server of the tests keeps the promises that an exactly-once commit rests on."""

from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from tests.servers.s3 import S3


def put_if_absent(s3: S3, bucket: str, key: str, writer: int) -> int:
    """Status of a PUT with ``If-None-Match: *``."""
    try:
        s3.client().put_object(Bucket=bucket, Key=key, Body=b"%d" % writer, IfNoneMatch="*")
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return 200


def test_one_of_many_racing_writers_wins(s3: S3) -> None:
    """A conditional PUT has one winner, and the losers are told 412."""
    bucket = s3.create_bucket()
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(5):
            key = f"_delta_log/{round_}.json"
            statuses = list(pool.map(lambda n, k=key: put_if_absent(s3, bucket, k, n), range(8)))
            assert sorted(statuses) == [200] + [412] * 7
            winner = s3.client().get_object(Bucket=bucket, Key=key)["Body"].read()
            assert winner == b"%d" % statuses.index(200)


def test_a_killed_server_comes_back_with_its_objects(own_s3: S3) -> None:
    """SIGKILL and a start again: same address, same objects."""
    bucket = own_s3.create_bucket()
    own_s3.client().put_object(Bucket=bucket, Key="kept", Body=b"kept")
    own_s3.kill()
    assert not own_s3.answers()
    own_s3.restart()
    assert own_s3.client().get_object(Bucket=bucket, Key="kept")["Body"].read() == b"kept"
