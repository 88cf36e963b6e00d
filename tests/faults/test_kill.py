"""A worker that is killed between any two steps of a flush loses nothing and doubles nothing."""

import pytest

from stream.failpoints import FlushStep
from tests.faults.scene import Scene
from tests.faults.traffic import SHORT_LIMIT
from tests.kill_harness import KILLED

LIMITS = {"stricter": (1_000_000, SHORT_LIMIT), "laxer": (SHORT_LIMIT, 1_000_000)}
LABELS = {FlushStep.LABELS_WRITTEN, FlushStep.LABELS_COMMITTED, FlushStep.LABELS_PRODUCED}
ASSEMBLY = {step for step in FlushStep if step.startswith("assembly_")}
RARE = {FlushStep.CLAIMED, FlushStep.AUDIT_COMMITTED, *LABELS, *ASSEMBLY}
"""Steps that not every flush takes; tests below and those of their parts do."""
BETWEEN = (FlushStep.QUARANTINE_COMMITTED, FlushStep.PRIMARY_COMMITTED)


@pytest.mark.parametrize("flush", [1, pytest.param(3, marks=pytest.mark.chaos)])
@pytest.mark.parametrize("step", [step for step in FlushStep if step not in RARE])
def test_killed_at_a_step(scene: Scene, step: FlushStep, flush: int) -> None:
    """The next worker finds in the tables where to go on, whichever step was the last."""
    scene.produce(150)
    worker = scene.start(stream__fail_at=f"{step}:{flush}")
    worker.wait_for_log("partitions_assigned")
    while worker.exit_code is None:
        scene.produce(20)
    assert worker.exit_code == KILLED, worker.tail()
    scene.produce(20)
    scene.catch_up()
    scene.assert_exactly_once()


@pytest.mark.parametrize(
    ("step", "change"),
    [
        (BETWEEN[0], "stricter"),
        pytest.param(BETWEEN[1], "laxer", marks=pytest.mark.chaos),
        pytest.param(BETWEEN[0], "laxer", marks=pytest.mark.chaos),
        pytest.param(BETWEEN[1], "stricter", marks=pytest.mark.chaos),
    ],
)
def test_the_next_worker_decides_otherwise(scene: Scene, step: FlushStep, change: str) -> None:
    """Killed at the commits and started with another limit, each record still is in one place."""
    before, after = LIMITS[change]
    scene.produce(150)
    worker = scene.start(stream__fail_at=str(step), stream__max_record_bytes=before)
    assert worker.wait() == KILLED, worker.tail()
    scene.produce(50)
    again = scene.start(stream__fail_at=str(step), stream__max_record_bytes=after)
    assert again.wait() == KILLED, again.tail()
    scene.catch_up(stream__max_record_bytes=before)
    scene.assert_exactly_once()


def test_killed_while_it_claims(scene: Scene) -> None:
    """Killed twice: between its commits, and then where the next owner is stricter and says so.

    The first has set aside what it had to and dies. The second reads the same range, finds more
    to set aside than quarantine holds, claims the partitions for that, and dies in its turn.
    """
    scene.produce(150)
    first = scene.start(stream__fail_at=str(FlushStep.QUARANTINE_COMMITTED))
    assert first.wait() == KILLED, first.tail()
    second = scene.start(
        stream__fail_at=str(FlushStep.CLAIMED), stream__max_record_bytes=SHORT_LIMIT
    )
    assert second.wait() == KILLED, second.tail()
    scene.produce(50)
    scene.catch_up(stream__max_record_bytes=SHORT_LIMIT)
    scene.assert_exactly_once()
