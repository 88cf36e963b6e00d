"""The policies of the bucket are what each program needs, seen by what it does to a real server."""

import json
import os
import time
from collections.abc import Set
from fnmatch import fnmatchcase
from pathlib import Path
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
ROLES = (
    *("worker", "reader", "labels", "release", "compact", "vacuum", "replay", "promote"),
    *("drift", "retention", "erase"),
)
_BROKEN_UPLOAD = {"s3:AbortMultipartUpload"}
SPEC = """
name: all
window: {from: 2000-01-01, to: 2099-01-01}
size: 10
redaction_policies: any
labels: {accept: [pass, fail, unknown, none]}
"""


def statements(name: str) -> list[dict[str, Any]]:
    """Return the statements of a policy."""
    return list(json.loads((IAM / f"{name}.json").read_text())["Statement"])


def allowed(deed: Deed, policy: list[dict[str, Any]]) -> bool:
    """Tell whether a policy of ours allows a request: its action, resource and prefix."""
    effects = {
        statement["Effect"]
        for statement in policy
        if deed.action in statement["Action"]
        and any(fnmatchcase(deed.resource, pattern) for pattern in _listed(statement["Resource"]))
        and _prefix_fits(deed, statement.get("Condition", {}))
    }
    return effects == {"Allow"}


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


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


def _produce(kafka: MockKafka, first: int) -> None:
    """Put records on both topics, one of them none."""
    for topic, make in (("llm.traces", trace), ("llm.feedback", feedback)):
        records = [Record(b"%d" % i, encode_json(make(i))) for i in range(first, first + 20)]
        kafka.produce(topic, [*records, Record(b"bad", b"no record")])


def _leave_something_old(s3: S3, lake: str, folder: Path) -> bool:
    """Put a data file that is in no table into the lake, and make it two days old.

    False where the server keeps its files elsewhere (in a container).
    """
    bucket, _, prefix = lake.removeprefix("s3://").partition("/")
    key = f"{prefix}/traces/event_date=2020-01-01/orphan.parquet"
    s3.client().put_object(Bucket=bucket, Key=key, Body=b"left behind")
    then = time.time() - 2 * 86400
    files = list(folder.glob(f"s3*/objects/{bucket}/{key}"))
    for file in files:
        os.utime(file, (then, then))
    return bool(files)


def _assert_fits(role: str, deeds: set[Deed], unused: Set[str]) -> None:
    """Every request is allowed, and every allowed action is used but those of ``unused``."""
    policy, seen = statements(role), _as_in_the_policies(deeds)
    assert [deed for deed in seen if not allowed(deed, policy)] == [], role
    granted = {a for one in policy if one["Effect"] == "Allow" for a in one["Action"]}
    assert granted - {deed.action for deed in seen} <= unused, role


def test_the_worker_and_the_proof_do_only_what_their_policies_allow(
    mock_kafka: MockKafka, s3: S3, start_worker: StartWorker
) -> None:
    """A worker makes the tables and commits, and never without a condition; then it is proved."""
    env = settings(mock_kafka, s3.new_lake(), kafka__group_id=unique("least"))
    _produce(mock_kafka, 0)
    with witnessed(s3.endpoint) as worker:
        start_worker({**env, **s3.env(worker.endpoint)}, "--until-caught-up").finish()
    with witnessed(s3.endpoint) as reader:
        proof = run_goldpan({**env, **s3.env(reader.endpoint)}, "lake", "verify", "--json")
    assert proof.returncode == 0, proof.stderr
    assert {deed.prefix for deed in worker.done if deed.prefix}, "nothing was listed"
    _assert_fits("worker", worker.done, _BROKEN_UPLOAD)
    _assert_fits("reader", reader.done, _BROKEN_UPLOAD)

    commits = {
        deed
        for deed in worker.done
        if deed.action == "s3:PutObject"
        and "/_delta_log/" in deed.key
        and deed.key.endswith(".json")
    }
    assert commits
    assert [deed for deed in commits if not deed.only_if_new] == []


@pytest.mark.chaos
def test_jobs_do_only_what_their_policies_allow(
    mock_kafka: MockKafka,
    s3: S3,
    start_worker: StartWorker,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The jobs run over what a worker has left, each by the policy of its account."""
    lake = s3.new_lake()
    env = settings(mock_kafka, lake, kafka__group_id=unique("least"))
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "plan.yaml").write_text("tables: {traces: {text: 40}}")
    expired = trace(99) | {"started_at": "2020-01-01T00:00:00Z"}
    mock_kafka.produce("llm.traces", [Record(b"99", encode_json(expired))])
    for first in (0, 20):  # two files of a day, so that there is something to compact
        _produce(mock_kafka, first)
        start_worker({**env, **s3.env()}, "--until-caught-up").finish()
    old = _leave_something_old(s3, lake, tmp_path_factory.getbasetemp())
    for role, command in (
        ("reader", "review stats --prometheus"),
        ("labels", "labels reconcile --json"),
        ("release", f"release build {tmp_path / 'spec.yaml'} --json"),
        ("replay", "stream replay --topic llm.traces --from 0 --policy hipaa --name again --json"),
        ("promote", "replay promote again --json"),
        ("compact", "lake compact --settled-days 0 --json"),
        ("vacuum", "lake vacuum --keep-hours 1 --json"),
        ("drift", "drift --keep --no-fail --json"),
        (
            "retention",
            f"retention run --plan {tmp_path / 'plan.yaml'} --purge --keep-hours 1 --json",
        ),
        ("erase", f"erase run --subject {trace(3)['user_id']} --unopened remove --json"),
    ):
        if role == "retention":  # what these two remove, they remove from older versions too
            _keep_versions(s3, lake)
        with witnessed(s3.endpoint) as job:
            ended = run_goldpan({**env, **s3.env(job.endpoint)}, *command.split())
        assert ended.returncode == 0, ended.stderr
        unused = {"s3:DeleteObject"} if role == "vacuum" and not old else set()
        if role == "retention":  # nothing of this lake has left its tables long enough ago
            unused = {"s3:DeleteObject", "s3:DeleteObjectVersion"}
        _assert_fits(role, job.done, _BROKEN_UPLOAD | unused)


def _keep_versions(s3: S3, lake: str) -> None:
    bucket = lake.removeprefix("s3://").partition("/")[0]
    s3.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


@pytest.mark.parametrize(
    ("action", "key"),
    [
        ("s3:DeleteObject", "lake/traces/_delta_log/00000000000000000001.json"),
        ("s3:DeleteObject", "lake/releases/support/1.0.0/data.parquet"),
        ("s3:PutObject", "elsewhere/a.parquet"),
        ("s3:GetObject", "elsewhere/a.parquet"),
    ],
)
def test_nobody_touches_the_log_or_leaves_the_lake(action: str, key: str) -> None:
    """What the policies are there to prevent is allowed by none of them but that which erases."""
    deed = Deed(action, BUCKET, key, None, only_if_new=False)
    for role in set(ROLES) - ({"erase"} if key.startswith("lake/") else set()):
        assert not allowed(deed, statements(role)), role


def test_few_programs_delete() -> None:
    """Data files of the tables are removed by these three; tombstones by none."""

    def who(action: str, key: str) -> list[str]:
        deed = Deed(action, BUCKET, f"lake/{key}", None, only_if_new=False)
        return [role for role in ROLES if allowed(deed, statements(role))]

    assert who("s3:DeleteObject", "traces/a.parquet") == ["vacuum", "retention", "erase"]
    assert who("s3:DeleteObjectVersion", "traces/a.parquet") == ["retention", "erase"]
    assert who("s3:DeleteObject", "erasures/1.json") == []
    assert who("s3:DeleteObjectVersion", "erasures/1.json") == []


def test_a_job_writes_to_its_own_place_only() -> None:
    """The job of labels cannot add to the traces, nor that of releases to the labels."""
    places = (
        *("labels", "calibrations", "policies", "releases", "replays", "traces", "quarantine"),
        *("drift", "erasures"),
    )
    put = [Deed("s3:PutObject", BUCKET, f"lake/{p}/x", None, only_if_new=True) for p in places]
    own = {
        role: {deed.key.split("/")[1] for deed in put if allowed(deed, statements(role))}
        for role in ("reader", "labels", "release", "replay", "drift")
    }
    assert own == {
        "reader": set(),
        "labels": {"labels", "calibrations", "policies"},
        "release": {"releases"},
        "replay": {"replays"},
        "drift": {"drift"},
    }


def test_the_bucket_refuses_to_overwrite_a_commit() -> None:
    """Putting a commit without If-None-Match is denied to all but the erasure."""
    (rule,) = (s for s in statements("bucket") if s["Sid"] == "CommitsAreNeverOverwritten")
    assert (rule["Effect"], rule["Principal"], rule["Action"]) == ("Deny", "*", "s3:PutObject")
    commit = f"arn:aws:s3:::{BUCKET}/lake/traces/_delta_log/00000000000000000001.json"
    assert fnmatchcase(commit, rule["Resource"])
    assert rule["Condition"] == {
        "Null": {"s3:if-none-match": "true"},
        "ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/goldpan-erase"},
    }
