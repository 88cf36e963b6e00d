"""The tables of a hunt: how many of how many, by each axis; and the first failures."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.redact.hunt.run import Verdict

AXES = ("type", "disguise", "way", "container", "neighbour", "field", "policy")


@dataclass
class Tally:
    """Counts of combinations and of those that failed, for personal ones and harmless ones."""

    count: Counter[bool] = field(default_factory=Counter)
    wrong: Counter[bool] = field(default_factory=Counter)
    refused: Counter[bool] = field(default_factory=Counter)
    by_axis: dict[tuple[bool, str], Counter[str]] = field(default_factory=dict)
    wrong_by_axis: dict[tuple[bool, str], Counter[str]] = field(default_factory=dict)
    failures: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """Count a verdict."""
        one = verdict.combination
        harmless = one.harmless
        self.count[harmless] += 1
        self.wrong[harmless] += bool(verdict.wrong)
        self.refused[harmless] += verdict.output is None and bool(verdict.wrong)
        for axis, name in one.axes().items():
            self.by_axis.setdefault((harmless, axis), Counter())[name] += 1
            wrong = self.wrong_by_axis.setdefault((harmless, axis), Counter())
            wrong[name] += bool(verdict.wrong)
        if verdict.wrong:
            self.failures.append(verdict)

    def share(self, *, harmless: bool) -> float:
        """Return the share of failures, refusals included."""
        return self.wrong[harmless] / max(self.count[harmless], 1)

    @property
    def leaks(self) -> list[Verdict]:
        """Return the personal combinations with leaks."""
        return [v for v in self.failures if not v.combination.harmless and v.output is not None]


def tally(verdicts: Iterable[Verdict]) -> Tally:
    """Count verdicts."""
    counted = Tally()
    for verdict in verdicts:
        counted.add(verdict)
    return counted


def summary(counted: Tally) -> str:
    """Return the totals, in two lines."""
    lines = []
    for harmless, what in ((False, "left or refused"), (True, "changed or refused")):
        lines.append(
            f"{'harmless' if harmless else 'personal'}: {counted.wrong[harmless]} of "
            f"{counted.count[harmless]} {what} ({100 * counted.share(harmless=harmless):.2f} %), "
            f"{counted.refused[harmless]} of them refused"
        )
    return "\n".join(lines)


def tables(counted: Tally, axes: Sequence[str] = AXES) -> str:
    """Return a table for each axis: the worst first, those without failures in one line."""
    return "\n\n".join(
        _table(counted, axis, harmless=harmless) for harmless in (False, True) for axis in axes
    )


def _table(counted: Tally, axis: str, *, harmless: bool) -> str:
    all_of = counted.by_axis.get((harmless, axis), Counter())
    wrong = counted.wrong_by_axis.get((harmless, axis), Counter())
    ranked = sorted(all_of, key=lambda name: (-wrong[name] / all_of[name], name))
    rows = [
        f"  {100 * wrong[name] / all_of[name]:6.2f} %  {wrong[name]:5} of {all_of[name]:5}  {name}"
        for name in ranked
        if wrong[name]
    ]
    clean = sum(1 for name in ranked if not wrong[name])
    head = f"{'harmless' if harmless else 'personal'}, by {axis}:"
    return "\n".join([head, *rows, f"  nothing wrong with {clean} others"])


def example(verdict: Verdict) -> str:
    """Return a failure in three lines: its position, the input, and what is wrong."""
    one = verdict.combination
    where = ", ".join(f"{axis} {name}" for axis, name in one.axes().items())
    shown = json.dumps(one.record, ensure_ascii=False)[:600]
    return f"[{one.identity}] {where}\n    {shown}\n    {verdict.wrong[:400]}"
