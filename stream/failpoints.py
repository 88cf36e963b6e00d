"""Failpoints: kill or stop the process at a named step of a flush, for tests.

For tests only. The worker calls ``reached(step)`` between any two effects of a flush, so a test can
end the process at each of them and check how the next one recovers.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.errors import UsageError


class FlushStep(StrEnum):
    """The steps of a flush in order, those of labels that depend on flushes, and the assembly's.

    Each name says what has just happened.
    """

    SEALED = "sealed"
    QUARANTINE_WRITTEN = "quarantine_written"
    PRIMARY_WRITTEN = "primary_written"
    CLAIMED = "claimed"
    QUARANTINE_COMMITTED = "quarantine_committed"
    AUDIT_COMMITTED = "audit_committed"
    PRIMARY_COMMITTED = "primary_committed"
    OFFSETS_COMMITTED = "offsets_committed"
    LABELS_WRITTEN = "labels_written"
    LABELS_COMMITTED = "labels_committed"
    LABELS_PRODUCED = "labels_produced"
    ASSEMBLY_READ = "assembly_read"
    ASSEMBLY_WRITTEN = "assembly_written"
    ASSEMBLY_COMMITTED = "assembly_committed"


_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


@dataclass(slots=True)
class FailPoint:
    """Sends this process a signal the ``countdown``-th time that ``step`` is reached."""

    step: StrEnum
    signal: signal.Signals
    countdown: int
    send: Callable[[int, int], None] = field(default=os.kill)

    def __call__(self, step: StrEnum) -> None:
        """Count the step."""
        if step is self.step:
            self.countdown -= 1
            if self.countdown == 0:
                self.send(os.getpid(), self.signal)


def ignore_step(_step: StrEnum) -> None:
    """Ignore every step."""


def parse_failpoint(text: str | None, *protocols: type[StrEnum]) -> Callable[[StrEnum], None]:
    """Parse ``step[:n][=kill|stop]``; None gives `ignore_step`. ``protocols`` define the steps.

    Without ``protocols`` the steps are those of a flush. Raises UsageError for an unknown step or
    action.
    """
    if text is None:
        return ignore_step
    trigger, _, action = text.partition("=")
    name, _, count = trigger.partition(":")
    steps = {str(step): step for protocol in protocols or (FlushStep,) for step in protocol}
    try:
        return FailPoint(steps[name], _SIGNALS[action or "kill"], int(count or "1"))
    except (KeyError, ValueError):
        raise UsageError(
            f"GOLDPAN_STREAM__FAIL_AT: use STEP[:N][=kill|stop] with one of {', '.join(steps)}"
        ) from None
