"""The tables in memory decide about commits as Delta does; otherwise the model proves nothing."""

from pathlib import Path
from random import Random
from typing import Any

from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError

from schemas.arrow import TABLES
from tests.lake.kit import make_lake, open_lake
from tests.stream.protocol.simulated import SimulatedHandle, SimulatedLog

APPS = ("a", "b", "c")


def write(handle: Any, apps: dict[str, int]) -> bool:
    """Commit numbers without files; return whether that was allowed."""
    try:
        handle.create_write_transaction(
            [],
            "append",
            handle.schema(),
            partition_by=["event_date"],
            commit_properties=CommitProperties(
                custom_metadata={"goldpan": "{}"},
                max_commit_retries=100,
                app_transactions=[Transaction(app, number) for app, number in apps.items()],
            ),
        )
    except CommitFailedError:
        return False
    return True


def change(handle: Any, number: int) -> bool:
    """Change the table itself; return whether that was allowed."""
    try:
        handle.alter.set_table_properties(
            {"goldpan.x": str(number)},
            raise_if_not_exists=False,
            commit_properties=CommitProperties(
                custom_metadata={"x": "y"},
                max_commit_retries=100,
                app_transactions=[Transaction("#x", number)],
            ),
        )
    except CommitFailedError:
        return False
    return True


def test_both_allow_the_same_commits(tmp_path: Path) -> None:
    """Three handles, each refreshed now and then, commit numbers of one, two or three names."""
    make_lake(tmp_path)
    log = SimulatedLog()
    real: list[Any] = [open_lake(tmp_path).table("feedback").handle for _ in range(3)]
    simulated = [SimulatedHandle(log, TABLES["feedback"].arrow) for _ in range(3)]
    random = Random(0)  # noqa: S311 - repeatable, not secret
    allowed = []
    for step in range(120):
        who = random.randrange(3)
        if random.random() < 0.6:
            for handle in (real[who], simulated[who]):
                handle.update_incremental()
                found = [handle.transaction_version(app) for app in APPS]
            assert found == [real[who].transaction_version(app) for app in APPS]
        if random.random() < 0.1:
            outcomes = [change(handle, step) for handle in (real[who], simulated[who])]
            assert outcomes[0] == outcomes[1], (step, who)
        apps = dict.fromkeys(random.sample(APPS, random.randrange(1, 4)), step)
        outcomes = [write(handle, apps) for handle in (real[who], simulated[who])]
        assert outcomes[0] == outcomes[1], (step, who, apps)
        allowed.append(outcomes[0])
    assert set(allowed) == {True, False}
