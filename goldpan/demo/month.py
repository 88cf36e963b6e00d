"""A month of conversations whose outcome is known: real ones, each once a day under other ids.

Of each conversation there is one trace, of its last call, which holds all that was said. So the
texts repeat from day to day, and the ids, the days and the hours differ.

Pure: the same arguments give the same records. Days are in UTC.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Final

from goldpan.demo.traffic import Conversation, TrafficRecord, make_traces

DAYS: Final = 30
TASK_ATTRIBUTE: Final = "task"
_SECONDS: Final = 86_400
_ID_FIELDS: Final = ("trace_id", "request_id", "session_id")


@dataclass(frozen=True, slots=True)
class DemoMonth:
    """The records of the month in order of time, and whether each one's task was done, by trace."""

    first_day: date
    last_day: date
    conversations: int
    records: Sequence[TrafficRecord]
    is_done: dict[str, bool]

    @property
    def days(self) -> int:
        """Return how many days there are."""
        return (self.last_day - self.first_day).days + 1

    @property
    def truth(self) -> float:
        """Return the share of conversations whose task was done."""
        return sum(self.is_done.values()) / len(self.is_done)


def make_month(
    conversations: Sequence[Conversation], *, last_day: date, days: int = DAYS, seed: int = 0
) -> DemoMonth:
    """Return the records of some days up to ``last_day``: each conversation once a day.

    The ids depend on ``seed`` and on the number of the day alone, so that each month is alike.
    """
    rng = random.Random(f"{seed}/month")  # noqa: S311 - for variety, not for secrets
    first_day = last_day - timedelta(days=days - 1)
    known = [
        (_last_trace(conversation, seed), conversation.is_done) for conversation in conversations
    ]
    records, is_done = [], {}
    for day in range(days):
        midnight = datetime.combine(first_day + timedelta(days=day), time(), UTC)
        begin = int(midnight.timestamp()) * 1_000_000
        hours = sorted(rng.uniform(0, _SECONDS - 1) for _ in known)
        for (trace, done), second in zip(rng.sample(known, len(known)), hours, strict=True):
            ids = {name: _other_id(trace[name], day) for name in _ID_FIELDS}
            record = {**trace, **ids, "started_at": begin + int(second * 1e6)}
            records.append(record)
            is_done[record["trace_id"]] = done
    return DemoMonth(first_day, last_day, len(conversations), records, is_done)


def _last_trace(conversation: Conversation, seed: int) -> TrafficRecord:
    trace = make_traces(conversation, started_at=0, seed=seed)[-1]
    task = {TASK_ATTRIBUTE: str(conversation.task_id)}
    return {**trace, "attributes": {**trace["attributes"], **task}}


def _other_id(id_: str, day: int) -> str:
    return blake2b(f"{id_}/{day}".encode(), digest_size=16).hexdigest()
