"""Which calls were repeated soon after: by the neighbours in the lake, also past midnight."""

from pathlib import Path

from batch.judge.retried_traces import read_retried
from schemas.records import Trace
from tests.batch.judge.world import DAY, SECOND, STARTED, asked
from tests.batch.kit import new_lake
from tests.lake.kit import patience

MIDNIGHT = STARTED + 86_400 * SECOND


def test_a_call_is_repeated_by_the_next_of_its_session(tmp_path: Path) -> None:
    """Soon after, with the same tokens; the repetition may be of the next day or not be judged."""

    def call(number: int, seconds: int, session: str | None, tokens: int | None = 7) -> Trace:
        at = MIDNIGHT + seconds * SECOND
        return asked(number, started_at=at, session_id=session, input_tokens=tokens)

    calls = [
        call(1, -10, "a"),
        call(2, 10, "a"),
        call(3, -500, "b"),
        call(4, -100, "b"),
        call(5, -20, "c"),
        call(6, -10, "c", 8),
        call(7, -20, "d"),
        call(8, -10, "d"),
        call(9, -10, None),
        call(10, -10, "a", None),
    ]
    lake = new_lake(tmp_path / "lake", calls)
    sessions = {"a", "b", "c"}
    found = read_retried(lake, (DAY, DAY), sessions, 60 * SECOND, patience())
    assert found == {
        "t0001": True,
        "t0002": False,
        "t0003": False,
        "t0004": False,
        "t0005": False,
        "t0006": False,
    }
    assert read_retried(lake, (DAY, DAY), set(), 60 * SECOND, patience()) == {}
