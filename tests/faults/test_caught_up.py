"""Caught up is what the tables say: a member of the group may hold partitions and read nothing."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest
from confluent_kafka import Consumer

from tests.faults.scene import Scene
from tests.servers.worker import Worker, call_goldpan

SECONDS = 60.0


@contextmanager
def other_member(scene: Scene, protocol: str) -> Iterator[Consumer]:
    """Join the worker's group and get all partitions; who never polls again keeps what it has."""
    assignor = (
        "group.remote.assignor" if protocol == "consumer" else "partition.assignment.strategy"
    )
    member = Consumer(
        {
            "bootstrap.servers": scene.kafka.bootstrap,
            "group.id": scene.group,
            "group.protocol": protocol,
            assignor: "range",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    member.subscribe([scene.traces_topic, scene.feedback_topic])
    deadline = monotonic() + SECONDS
    while not member.assignment():
        assert monotonic() < deadline, "it got no partitions"
        member.poll(0.2)
    try:
        yield member
    finally:
        member.close()


def share(member: Consumer, worker: Worker) -> None:
    """Let a member answer to its group until the worker has a share; it forgets what it gets."""

    def has_some() -> bool:
        member.poll(0.1)
        return any(one["positions"] for one in worker.logs("partitions_assigned"))

    worker.wait_until(has_some, what="given partitions")


def verified(scene: Scene) -> Any:
    """What ``lake verify --kafka`` says."""
    return json.loads(call_goldpan(scene.env(), "lake", "verify", "--kafka", "--json").stdout)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_it_waits_for_what_another_member_holds(scene: Scene, protocol: str) -> None:
    """It says for which partitions it waits, takes them over when they are free, and ends."""
    scene.produce(100)
    with other_member(scene, protocol) as member:
        worker = scene.start("--until-caught-up", kafka__group_protocol=protocol)
        share(member, worker)
        said = worker.wait_for_log("waiting_for_partitions")
        assert worker.alive
        assert not scene.all_in()
        held = {f"{one.topic}/{one.partition}" for one in member.assignment()}
        assert said["positions"].keys() == held
        proof = verified(scene)
        assert (proof["ok"], proof["behind"] > 0) == (True, True)
        behind = {f"{one['topic']}/{one['partition']}" for one in proof["kafka"] if one["behind"]}
        assert behind == held
    worker.finish()
    assert worker.logs("caught_up"), worker.tail()
    assert scene.all_in()
    assert verified(scene)["behind"] == 0
    scene.assert_exactly_once()


def test_several_workers_end_at_their_time_limit(scene: Scene) -> None:
    """With `--within` a script gets exit code 3 and the partitions that are behind."""
    scene.produce(100)
    with other_member(scene, "consumer"):
        worker = scene.start("--workers", "2", "--until-caught-up", "--within", "8")
        assert worker.wait() == 3, worker.tail()
        assert not worker.logs("caught_up")
        assert "not caught up within 8 s" in worker.log_text()
        assert f"{scene.traces_topic}/0 (at " in worker.log_text()
    scene.catch_up()
    scene.assert_exactly_once()
