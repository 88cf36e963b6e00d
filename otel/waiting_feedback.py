"""Feedback that waits for its trace: when to try again, and when to leave it to the job."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from otel.open_traces import AssemblyTerms
from otel.signals import ProductFeedback

MAX_WAITING: Final = 100_000
"""Beyond it the feedback that has waited longest is left to the job."""


@dataclass(slots=True)
class WaitingFeedback:
    """A feedback, when it arrived, and when its trace is looked for next (microseconds)."""

    feedback: ProductFeedback
    arrived_us: int
    next_us: int
    tries: int = 0


@dataclass
class FeedbackQueue:
    """The feedback of some shards that is in the lake and has no record yet.

    A feedback is tried a quiet period after it arrived, then after twice as long each time, until
    it is older than the term.
    """

    terms: AssemblyTerms
    waiting: dict[str, WaitingFeedback] = field(default_factory=dict)

    def add(self, feedback: ProductFeedback, arrived_us: int) -> None:
        """Take a feedback in; a copy of one that waits replaces it and keeps its times."""
        known = self.waiting.get(feedback.feedback_id)
        if known is not None:
            known.feedback = feedback
            return
        next_us = arrived_us + self.terms.quiet_us
        self.waiting[feedback.feedback_id] = WaitingFeedback(feedback, arrived_us, next_us)
        if len(self.waiting) > MAX_WAITING:
            del self.waiting[next(iter(self.waiting))]

    def take_due(self, now_us: int, *, everything: bool = False) -> list[ProductFeedback]:
        """Return the feedback whose trace is to be looked for now.

        ``everything``: also what was tried before and is to be tried again later.
        """
        return [
            each.feedback
            for each in self.waiting.values()
            if each.next_us <= now_us
            or (everything and each.arrived_us + self.terms.quiet_us <= now_us)
        ]

    def untried(self) -> bool:
        """Return whether some feedback has never been tried."""
        return any(each.tries == 0 for each in self.waiting.values())

    def resolved(self, feedback_ids: Iterable[str]) -> None:
        """Record that feedback has its record."""
        for feedback_id in feedback_ids:
            self.waiting.pop(feedback_id, None)

    def failed(self, feedback_ids: Iterable[str], now_us: int) -> list[str]:
        """Record that the trace of feedback is not known; return what is left to the job now."""
        left = []
        for feedback_id in feedback_ids:
            each = self.waiting.get(feedback_id)
            if each is None:
                continue
            each.tries += 1
            each.next_us = now_us + self.terms.quiet_us * 2 ** min(each.tries, 16)
            if now_us >= each.arrived_us + self.terms.term_us:
                del self.waiting[feedback_id]
                left.append(feedback_id)
        return left
