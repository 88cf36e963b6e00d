"""How often answers fail, as a datasheet says it: from the audit arm, or not at all.

People complain where something went wrong, so labels are no sample of all answers. The audit arm
is: each of its traces was drawn by a hash, with a known probability.
"""

from collections.abc import Mapping
from typing import Any, Final

from batch.release.pages.markup import Block, Text

_FORMULA: Final = (
    "(sum of 1/p over the audited traces that reviewers found bad) / (sum of 1/p over all that "
    "they judged), p being the probability with which the audit drew a trace; 95 % interval after "
    "Korn and Graubard (1998)"
)


def failure_rate_blocks(population: Mapping[str, Any]) -> list[Block]:
    """Return what a page says of the failure rate; nothing for releases that did not count it."""
    audit = population.get("audit")
    if audit is None:
        return []
    counts = population["labels"]
    total, rate, drawn = sum(counts.values()), audit["failure_rate"], audit["drawn"]
    labelled = counts.get("pass", 0) + counts.get("fail", 0)
    head = Text(
        "The share labelled fail is no failure rate: labels come where people or errors spoke. Of "
        f"the {total} traces that fit the spec whatever their label, {labelled} are labelled pass "
        f"or fail, {counts.get('unknown', 0)} unknown, {counts.get('none', 0)} not at all."
    )
    if rate is not None:
        found = (
            f"The failure rate of all {total} is {rate['mean']:.1%} ({rate['low']:.1%} to "
            f"{rate['high']:.1%}), from {audit['judged']} traces of the random audit that "
            f"reviewers judged, {audit['failed']} of them bad: {_FORMULA}."
        )
        return [head, Text(found)]
    why = (
        f"the audit drew {drawn}, and no reviewer has judged {'it' if drawn == 1 else 'any'} yet"
        if drawn
        else "the audit drew none of them"
    )
    none = (
        f"No failure rate of all {total} can be given: {why}. It would be {_FORMULA}. With n "
        "judged, the interval reaches about 1.96 sqrt(r (1 - r) / n) to either side of a rate r: "
        "3 points at 10 % take some 400 reviews of the audit (`goldpan review next`; the policy's "
        "`audit.rate` says how many are drawn)."
    )
    return [head, Text(none, note=True)]
