"""Two groups of workers that each believe they own all partitions, on the same lake."""

from tests.faults.scene import Scene
from tests.faults.traffic import SHORT_LIMIT
from tests.servers.kafka import unique
from tests.servers.worker import Worker

ROUNDS = 8


def collide(scene: Scene, owners: list[Worker]) -> None:
    """Produce until the owners have got in each other's way, and let them end in order."""
    for owner in owners:
        owner.wait_for_log("partitions_assigned")
    rounds = 0
    while rounds < ROUNDS or not any(owner.logs("flush_fenced") for owner in owners):
        scene.produce(20)
        rounds += 1
        for owner in owners:
            assert owner.alive, owner.tail()
    owners[0].wait_until(scene.all_in, what="done")
    for owner in owners:
        owner.sigterm()
    for owner in owners:
        owner.finish()


def test_two_groups(scene: Scene) -> None:
    """Of two that read the same range only one brings it in, and both go on."""
    scene.produce(100)
    groups = [unique("group") for _ in range(2)]
    collide(scene, [scene.start(kafka__group_id=group) for group in groups])
    for group in groups:
        scene.catch_up(kafka__group_id=group)
    scene.assert_exactly_once()


def test_two_groups_that_judge_otherwise(scene: Scene) -> None:
    """A record that one sets aside and the other lets pass is in one place all the same."""
    scene.produce(100)
    lax = scene.start(kafka__group_id=unique("group"))
    strict = scene.start(kafka__group_id=unique("group"), stream__max_record_bytes=SHORT_LIMIT)
    collide(scene, [lax, strict])
    scene.catch_up(stream__max_record_bytes=SHORT_LIMIT)
    scene.assert_exactly_once()
