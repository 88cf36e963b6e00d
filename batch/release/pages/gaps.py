"""The known gaps of a release: what its strata, labels and window do not cover."""

from collections.abc import Sequence
from typing import Final

from batch.release.format.manifest import ReleaseFacts
from batch.release.format.rows import ReleaseRow
from batch.release.pages.markup import Block, Heading, Text, count_of, format_share
from batch.release.sampling.allocation import is_error_stratum

_THIN: Final = 30
_SHOWN: Final = 5


def gap_blocks(facts: ReleaseFacts, rows: Sequence[ReleaseRow]) -> list[Block]:
    """Return the section on known gaps; ``rows`` are those from production."""
    gaps = [*_stratum_gaps(facts), *_row_gaps(facts, rows), *_window_gaps(facts)]
    notes = [Text(gap, note=True) for gap in gaps]
    return [Heading("Known gaps"), *(notes or [Text("None that goldpan knows of.")])]


def _stratum_gaps(facts: ReleaseFacts) -> list[str]:
    strata = facts["design"]["strata"]
    empty = [s["name"] for s in strata if s["traces"] and not s["rows"] and not s.get("erased")]
    emptied = [s["name"] for s in strata if s.get("erased") and not s["rows"]]
    thin = [s["name"] for s in strata if 0 < s["rows"] < _THIN]
    lost = sum(s["out_of_reach"] for s in strata)
    few = facts["spec"]["size"] - sum(s["rows"] + s.get("erased", 0) for s in strata)
    gaps = []
    if empty:
        gaps.append(
            f"{count_of(len(empty), 'stratum has', 'strata have')} no row: {_some(empty)}. Their "
            "conversations were needed for rarer strata, and each can give one row only."
        )
    if emptied:
        gaps.append(
            f"{count_of(len(emptied), 'stratum has', 'strata have')} no row left, since all of "
            f"them were erased: {_some(emptied)}."
        )
    if thin:
        gaps.append(
            f"{count_of(len(thin), 'stratum has', 'strata have')} fewer than {_THIN} rows, too few "
            f"for conclusions on {'it' if len(thin) == 1 else 'them'} alone: {_some(thin)}."
        )
    if lost:
        share = format_share(lost / max(1, facts["population"]["traces"]))
        gaps.append(
            f"{count_of(lost, 'trace', 'traces')} ({share}) could not be drawn, since their "
            "conversation represents a rarer stratum or is named by the spec; the others of their "
            "stratum represent them."
        )
    if few > 0:
        gaps.append(
            f"The release has {count_of(few, 'row', 'rows')} fewer than requested: there were no "
            "more that differ."
        )
    return gaps


def _row_gaps(facts: ReleaseFacts, rows: Sequence[ReleaseRow]) -> list[str]:
    strata, population = facts["design"]["strata"], facts["population"]
    unlabelled = sum(row["label"] in {"none", "unknown"} for row in rows)
    duplicates = sum(s["near_duplicates"] for s in strata)
    refused = population["refused_by_redaction_policy"]
    gaps = []
    if unlabelled:
        gaps.append(
            f"{count_of(unlabelled, 'row has', 'rows have')} no usable label (none or unknown)."
        )
    if duplicates:
        gaps.append(
            f"{count_of(duplicates, 'drawn trace was', 'drawn traces were')} left out as "
            "near-duplicates of others, which represent them; the labels of near-duplicates may "
            "differ."
        )
    if refused:
        gaps.append(
            f"{count_of(refused, 'trace', 'traces')} of the window "
            f"{'was' if refused == 1 else 'were'} stored under another redaction policy and left "
            "out."
        )
    return gaps


def _window_gaps(facts: ReleaseFacts) -> list[str]:
    population, strata = facts["population"], facts["design"]["strata"]
    resent = population.get("sent_again_otherwise", 0)
    gaps = []
    if resent:
        gaps.append(
            f"{count_of(resent, 'trace was', 'traces were')} sent more than once, with another "
            "status, answer or input; the first one counts. docs/releases.md of goldpan has the "
            "query that finds them."
        )
    gaps += [f"In the spec, {warning}." for warning in population.get("warnings", [])]
    if "expired" in facts:
        expired = facts["expired"]
        gaps.append(
            f"Only days from {expired['whole_from']} on are covered: texts, users, rows or labels "
            f"of earlier days of the window have expired ({expired['traces_left_out']} of their "
            "traces are still stored). Statements about production apply to the days covered."
        )
    if "status" in facts["spec"]["strata"] and not any(
        is_error_stratum(s["values"]) for s in strata
    ):
        gaps.append("There was no error in the window.")
    return gaps


def _some(names: Sequence[str]) -> str:
    shown = "; ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown}; and {len(names) - _SHOWN} more"
