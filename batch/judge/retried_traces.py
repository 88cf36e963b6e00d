"""The traces whose user repeated the call soon after, found among the neighbours in the lake.

A sample does not hold the call that repeats one of its rows, so the lake is asked. The rule is that
of the signal ``retry`` (`labels.retry_chains`): same session and input tokens, soon after.
"""

from collections.abc import Collection, Iterator
from datetime import date, timedelta
from typing import Final, NamedTuple

import numpy as np

from batch.judge.subjects import read_window_rows
from labels.digests import digest_ids
from labels.retry_chains import RetryChains, retry_keys
from lake.retry import Retry
from lake.tables import Lake

_COLUMNS: Final = "trace_id, session_id, epoch_us(started_at) AS started_at, input_tokens"
_SEED: Final = "retries"


class _Call(NamedTuple):
    trace_id: str
    session_id: str
    started_at: int
    input_tokens: int


def read_retried(
    lake: Lake, days: tuple[date, date], sessions: Collection[str], max_gap: int, retry: Retry
) -> dict[str, bool]:
    """Return whether each call of some sessions was repeated within ``max_gap`` microseconds.

    By trace id, of the traces in force that started on these days; the day after the last is read
    too. Traces without a session or a count of input tokens are left out: nobody knows.
    """
    until = (days[0], days[1] + timedelta(days=1))
    calls = list(_calls(lake, until, sessions, retry))
    started = np.array([call.started_at for call in calls], np.int64)
    tokens = np.array([call.input_tokens for call in calls], np.int64)
    chains = RetryChains(max_gap)
    chains.append(len(calls))
    keys = retry_keys(digest_ids([call.session_id for call in calls], _SEED)[:, 0], tokens)
    chains.add(np.arange(len(calls), dtype=np.int32), keys, started)
    retried = set(chains.all_retried(started).tolist())
    return {call.trace_id: at in retried for at, call in enumerate(calls)}


def _calls(
    lake: Lake, days: tuple[date, date], sessions: Collection[str], retry: Retry
) -> Iterator[_Call]:
    for row in read_window_rows(lake, days, retry, _COLUMNS):
        call = _Call(**row)
        if call.session_id in sessions and call.input_tokens is not None:
            yield call
