"""The failure rate in a datasheet: an estimate from the audit arm, or the reason for none.

Users report problems, so labels are not a sample of all answers. The audit arm is one: each of its
traces was drawn by a hash with a known probability.
"""

from typing import Final

from batch.release.format.manifest import PopulationFacts
from batch.release.pages.markup import Block, Text, count_of

_FORMULA: Final = (
    "(sum of 1/p over the audited traces that reviewers found bad) / (sum of 1/p over all that "
    "they judged), where p is the probability with which the audit drew a trace; 95 % interval "
    "after Korn and Graubard (1998)"
)


def failure_rate_blocks(population: PopulationFacts) -> list[Block]:
    """Return the paragraphs on the failure rate; none for releases that did not count it."""
    audit = population.get("audit")
    if audit is None:
        return []
    counts = population["labels"]
    total, rate, drawn = sum(counts.values()), audit["failure_rate"], audit["drawn"]
    labelled = counts.get("pass", 0) + counts.get("fail", 0)
    head = Text(
        "The share labelled fail is not a failure rate: labels come from users who react and from "
        f"errors. Of the {count_of(total, 'trace', 'traces')} that fit the spec regardless of "
        f"their label, {labelled} are labelled pass or fail, {counts.get('unknown', 0)} unknown, "
        f"{counts.get('none', 0)} not at all."
    )
    if rate is not None:
        stated = (
            f"The failure rate of all {total} is {rate['mean']:.1%} ({rate['low']:.1%} to "
            f"{rate['high']:.1%}), from {count_of(audit['judged'], 'trace', 'traces')} of the "
            f"random audit that reviewers judged, {audit['failed']} of them bad: {_FORMULA}."
        )
        return [head, Text(stated)]
    reason = (
        f"the audit drew {drawn}, and no reviewer has judged {'it' if drawn == 1 else 'any'} yet"
        if drawn
        else "the audit drew none of them"
    )
    absent = (
        f"The failure rate of all {total} is unknown: {reason}. It would be {_FORMULA}. With n "
        "judged, the interval extends about 1.96 sqrt(r (1 - r) / n) to either side of a rate r: "
        "3 points at 10 % take about 400 reviews of the audit (`goldpan review next`; the policy's "
        "`audit.rate` sets how many are drawn)."
    )
    return [head, Text(absent, note=True)]
