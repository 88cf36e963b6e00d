"""What deciding labels anew changes, counted: added, changed, gone, and from which to which."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from schemas.records import LabelEvent

NO_EVENT: Final = "none"
"""Stands for the label of a trace that has no label event."""
PROBABILITY_BANDS: Final = 10
"""Into so many bands of equal width the probability of fail is divided."""


class EventPair(NamedTuple):
    """The event in force of one trace before and after, None where there is none."""

    trace_id: str
    before: LabelEvent | None
    after: LabelEvent | None


def probability_band(p_fail: float) -> str:
    """Return the band that a probability lies in, such as ``0.3-0.4``."""
    number = min(int(p_fail * PROBABILITY_BANDS), PROBABILITY_BANDS - 1)
    return f"{number / PROBABILITY_BANDS:.1f}-{(number + 1) / PROBABILITY_BANDS:.1f}"


@dataclass(slots=True)
class LabelDifference:
    """Numbers of traces.

    ``label``, ``band``, ``expected_response`` and ``policy`` count those of ``changed`` in which
    the label, the band of the probability, the text and the policy version are others; only
    evidence may have changed in the rest. ``confusion`` counts all traces by label before and
    after, ``before`` and ``after`` by band. ``samples`` are the first that change.
    """

    added: int = 0
    gone: int = 0
    changed: int = 0
    same: int = 0
    label: int = 0
    band: int = 0
    expected_response: int = 0
    policy: int = 0
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    samples: list[EventPair] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Return whether anything would change."""
        return bool(self.added or self.gone or self.changed)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers; the samples are shown by who knows what may be shown of them."""
        bands = sorted({*self.before, *self.after})
        return {
            "added": self.added,
            "gone": self.gone,
            "changed": self.changed,
            "same": self.same,
            "changes": {
                "label": self.label,
                "p_fail_band": self.band,
                "expected_response": self.expected_response,
                "policy_version": self.policy,
            },
            "confusion": [
                {"before": before, "after": after, "traces": count}
                for (before, after), count in sorted(self.confusion.items())
            ],
            "p_fail": {b: {"before": self.before[b], "after": self.after[b]} for b in bands},
        }


def compare_labels(pairs: Iterable[EventPair], *, samples: int) -> LabelDifference:
    """Compare; keep at most so many samples. A trace without an event on either side is none."""
    found = LabelDifference()
    for both in pairs:
        _add(found, both)
        changes = both.before is None or both.after is None or not _same(both)
        if changes and len(found.samples) < samples:
            found.samples.append(both)
    return found


def _add(found: LabelDifference, both: EventPair) -> None:
    before, after = both.before, both.after
    found.confusion[_label(before), _label(after)] += 1
    if before is not None:
        found.before[probability_band(before.p_fail)] += 1
    if after is not None:
        found.after[probability_band(after.p_fail)] += 1
    if before is None or after is None:
        found.added += before is None
        found.gone += after is None
    elif _same(both):
        found.same += 1
    else:
        found.changed += 1
        found.label += before.label != after.label
        found.band += probability_band(before.p_fail) != probability_band(after.p_fail)
        found.expected_response += before.expected_response != after.expected_response
        found.policy += before.policy_version != after.policy_version


def _same(both: EventPair) -> bool:
    before, after = both.before, both.after
    return (
        before is not None and after is not None and before.label_event_id == after.label_event_id
    )


def _label(event: LabelEvent | None) -> str:
    return NO_EVENT if event is None else event.label
