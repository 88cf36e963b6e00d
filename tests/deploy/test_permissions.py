"""The policies of the bucket are what each program needs, seen by what it does to a real server."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.architecture.source import ROOT
from tests.deploy.s3_witness import Deed, witnessed
from tests.make.records import encode_json, feedback, trace
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import unique
from tests.servers.mock_kafka import MockKafka
from tests.servers.s3 import S3
from tests.servers.topic_io import Record
from tests.servers.worker import run_goldpan, settings

IAM = ROOT / "deploy" / "k8s" / "overlays" / "aws" / "iam"
BUCKET = "example-goldpan-lake"


def statements(name: str) -> list[dict[str, Any]]:
    """Return the statements of a policy."""
    return list(json.loads((IAM / f"{name}.json").read_text())["Statement"])


def allowed(deed: Deed, policy: list[dict[str, Any]]) -> bool:
    """Tell whether a policy of ours allows a request: its action, resource and prefix."""
    return any(
        deed.action in statement["Action"]
        and fnmatchcase(deed.resource, statement["Resource"])
        and _prefix_fits(deed, statement.get("Condition", {}))
        for statement in policy
    )


def _prefix_fits(deed: Deed, condition: dict[str, Any]) -> bool:
    patterns = condition.get("StringLikeIfExists", {}).get("s3:prefix")
    if patterns is None or deed.prefix is None:
        return condition.keys() <= {"StringLikeIfExists"}
    return any(fnmatchcase(deed.prefix, pattern) for pattern in patterns)


def _as_in_the_policies(deeds: set[Deed]) -> set[Deed]:
    return {
        Deed(deed.action, BUCKET, deed.key, deed.prefix, deed.only_if_new)
        for deed in deeds
        if deed.bucket
    }


@pytest.fixture
def kafka_with_records(mock_kafka: MockKafka) -> MockKafka:
    """An embedded broker with records on both topics, one of them none."""
    for topic, make in (("llm.traces", trace), ("llm.feedback", feedback)):
        records = [Record(b"%d" % i, encode_json(make(i))) for i in range(20)]
        mock_kafka.produce(topic, [*records, Record(b"bad", b"no record")])
    return mock_kafka


def test_the_worker_and_the_reader_do_only_what_their_policies_allow(
    kafka_with_records: MockKafka, s3: S3, start_worker: StartWorker
) -> None:
    """Every request is allowed, and every allowed action but that of a broken upload is used.

    A worker makes the tables and commits; then the tables are proved.
    """
    lake, group = s3.new_lake(), unique("least")
    env = settings(kafka_with_records, lake, kafka__group_id=group)
    with witnessed(s3.endpoint) as worker:
        start_worker({**env, **s3.env(worker.endpoint)}, "--until-caught-up").finish()
    with witnessed(s3.endpoint) as reader:
        only_lake = {name: value for name, value in env.items() if "LAKE" in name}
        proof = run_goldpan({**only_lake, **s3.env(reader.endpoint)}, "lake", "verify", "--json")
    assert proof.returncode == 0, proof.stderr

    assert {deed.prefix for deed in worker.done if deed.prefix}, "nothing was listed"
    for name, deeds in (("worker", worker.done), ("reader", reader.done)):
        policy, done = statements(name), _as_in_the_policies(deeds)
        assert done
        assert [deed for deed in done if not allowed(deed, policy)] == []
        granted = {action for statement in policy for action in statement["Action"]}
        assert granted - {deed.action for deed in done} <= {"s3:AbortMultipartUpload"}

    commits = {
        deed
        for deed in worker.done
        if deed.action == "s3:PutObject"
        and "/_delta_log/" in deed.key
        and deed.key.endswith(".json")
    }
    assert commits
    assert [deed for deed in commits if not deed.only_if_new] == []


@pytest.mark.parametrize(
    ("action", "key"),
    [
        ("s3:DeleteObject", "lake/traces/a.parquet"),
        ("s3:PutObject", "elsewhere/a.parquet"),
        ("s3:GetObject", "elsewhere/a.parquet"),
    ],
)
def test_nobody_deletes_or_leaves_the_lake(action: str, key: str) -> None:
    """What the policies are there to prevent is not allowed by any of these two."""
    deed = Deed(action, BUCKET, key, None, only_if_new=False)
    assert not allowed(deed, statements("worker"))
    assert not allowed(deed, statements("reader"))


def test_the_bucket_refuses_to_overwrite_a_commit() -> None:
    """A put of a commit without If-None-Match is denied to everybody, whatever their policy."""
    (rule,) = (s for s in statements("bucket") if s["Sid"] == "CommitsAreNeverOverwritten")
    assert (rule["Effect"], rule["Principal"], rule["Action"]) == ("Deny", "*", "s3:PutObject")
    commit = f"arn:aws:s3:::{BUCKET}/lake/traces/_delta_log/00000000000000000001.json"
    assert fnmatchcase(commit, rule["Resource"])
    assert rule["Condition"] == {"Null": {"s3:if-none-match": "true"}}
