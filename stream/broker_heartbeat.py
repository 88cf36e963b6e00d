"""Measures for how long no broker has answered, since an idle consumer cannot notice.

The brokers are queried at intervals on a separate thread, since a query without an answer blocks
until it times out.
"""

import threading
from collections.abc import Callable
from typing import Final

HEARTBEAT_SECONDS: Final = 5.0
SILENT_SECONDS: Final = 30.0
"""After this long without an answer, the known ends of the topics are too old to report."""


class BrokerHeartbeat:
    """Queries until stopped. ``ask`` returns whether a broker answered; ``monotonic`` is in
    seconds.
    """

    def __init__(self, ask: Callable[[], bool], monotonic: Callable[[], float]) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._answered_at = monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker-heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop querying; a query in progress is abandoned."""
        self._stopped.set()

    def silent_seconds(self) -> float:
        """Return the seconds since a broker last answered; small while the cluster is healthy."""
        return max(0.0, self._monotonic() - self._answered_at)

    def _run(self) -> None:
        while not self._stopped.wait(HEARTBEAT_SECONDS):
            self.ask_once()

    def ask_once(self) -> None:
        """Query once."""
        if self._ask():
            self._answered_at = self._monotonic()
