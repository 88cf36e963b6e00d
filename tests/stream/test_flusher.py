"""The flusher's thread: what it has done with, it lets go of."""

import gc
import time
import weakref
from typing import Any

from stream.flusher import Flusher, FlushOutcome


class Rows:
    """Stands for a flush, whose rows take most of the worker's memory."""

    topic = "traces"


class Runner:
    """Fails at once, so that the outcome is about the flush."""

    def run(self, flush: Any) -> Any:
        """Raise, as a flush that cannot be written."""
        raise ValueError(type(flush).__name__)


def test_the_rows_of_a_finished_flush_are_freed_before_the_next_comes() -> None:
    """On a quiet topic that may take long."""
    flusher = Flusher(lambda _topic: Runner())
    flusher.start()
    rows: Any = Rows()
    freed = weakref.ref(rows)
    flusher.submit(rows)
    outcome: FlushOutcome | None = flusher.outcome(10.0)
    assert outcome is not None
    assert outcome.flush is rows
    del rows, outcome
    deadline = time.monotonic() + 10.0
    while freed() is not None and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert freed() is None
    flusher.stop(10.0)
