"""When a broker answered last: an idle client hears nothing, be all well or nobody there.

So the brokers are asked now and then, on a thread of its own, since a question that nobody answers
takes its time.
"""

import threading
from collections.abc import Callable
from typing import Final

HEARTBEAT_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 30.0
"""So long without an answer, and what is known of the topics is too old to be shown."""


class BrokerHeartbeat:
    """Asks until stopped. ``ask`` returns whether a broker answered; ``monotonic`` in seconds."""

    def __init__(self, ask: Callable[[], bool], monotonic: Callable[[], float]) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._answered_at = monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="answers", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; a question that is under way is left behind."""
        self._ended.set()

    def silent_seconds(self) -> float:
        """Return for how long no broker has answered; small while all is well."""
        return max(0.0, self._monotonic() - self._answered_at)

    def _run(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            self.look()

    def look(self) -> None:
        """Ask once."""
        if self._ask():
            self._answered_at = self._monotonic()
