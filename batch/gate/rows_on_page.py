"""The rows that a report shows, with the question and what was answered.

With a baseline these are the rows that changed, and else those that failed.

They are on pages that are written on demand. A kept page has none of it.
"""

import json
from collections.abc import Sequence
from typing import Final

from batch.gate.changed_answers import (
    AnsweredRows,
    ChangedAnswer,
    ReleasedRow,
    count_changes,
    largest_losses,
)
from batch.gate.gate_run import REVIEWED, KeptReadings
from batch.gate.gate_words import plain_text
from batch.gate.kept_answers import KeptAnswer
from batch.release.pages.markup import Block, Heading, Quotes, Text, count_of
from judges.gate.readings import BASELINE, CANDIDATE, GateSide

MOST_FLIPS: Final = 20
"""So many rows are on a page, at most."""
_LONGEST: Final = 4_000
_NO_ANSWER: Final = "no answer is kept"
PAGE_STYLE: Final = """
body{max-width:60rem}th,td{padding:.25rem .55rem}
.quotes{display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:.6rem;margin:.4rem 0}
.quotes figure{margin:0;border:1px solid #dde3e8;border-radius:4px;padding:.5rem .7rem;min-width:0}
.quotes figcaption{color:#59636e;font-weight:600;font-size:.85rem;margin-bottom:.2rem}
.said{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate;font-size:.92rem}
h3{font-size:1rem;margin:1.3rem 0 .2rem;overflow-wrap:anywhere}
.plot{overflow-x:auto}
@media (max-width:40rem){.plot svg{max-width:none;width:34rem}
table{font-size:.78rem}th,td{white-space:normal;padding:.25rem .35rem}}
"""  # noqa: E501 - a style


def flip_blocks(changed: Sequence[ChangedAnswer]) -> list[Block]:
    """Return the largest losses, each with both answers, and how many more there are."""
    flips = largest_losses(changed)
    if not flips:
        return [Heading("Both answers"), Text("Candidate and baseline say the same of each row.")]
    worse, better = count_changes(flips)
    rest = len(flips) - worse - better
    said = [f"{worse:,} worse", f"{better:,} better"]
    said += [f"{rest:,} without a value on one side"] if rest else []
    blocks: list[Block] = [
        Heading("Both answers"),
        Text(
            f"{count_of(len(flips), 'verdict or value differs', 'verdicts and values differ')}: "
            f"{', '.join(said)}."
        ),
    ]
    for each in flips[:MOST_FLIPS]:
        before, after = (_said(value) for value in (each.baseline, each.candidate))
        said_of = [(_label(each, side), _answer(each.answers.get(side))) for side in _SIDES]
        blocks += _row_blocks(f"{each.metric}: {before} before, {after} now", each.row, said_of)
    if len(flips) > MOST_FLIPS:
        more = len(flips) - MOST_FLIPS
        blocks.append(Text(f"{more:,} more are in the file that --changed writes.", note=True))
    return blocks


def failure_blocks(readings: KeptReadings, answered: AnsweredRows) -> list[Block]:
    """Return the candidate's answers that failed: by reviewers first, then by the judge alone.

    Where reviewers passed an answer, the judge's word does not count. Erased rows are left out.
    """
    said: dict[tuple[str, str], tuple[str, str]] = {}
    for by, reviewed in (("the judge", False), ("reviewers", True)):
        for (side, name), held in readings.items():
            if side == CANDIDATE and name.endswith(REVIEWED) == reviewed:
                metric = name.removesuffix(REVIEWED)
                said |= {(metric, mark): (by, held[mark].state) for mark in held}
    failed = [
        (by != "reviewers", metric, answered.rows[mark].trace_id, mark, by)
        for (metric, mark), (by, state) in said.items()
        if state == "fail" and mark in answered.rows
    ]
    if not failed:
        return []
    count = count_of(len(failed), "answer", "answers")
    blocks: list[Block] = [
        Heading("Failed answers"),
        Text(f"{count} failed; those that reviewers saw come first."),
    ]
    for _, metric, _, mark, by in sorted(failed)[:MOST_FLIPS]:
        answer = _answer(answered.answers_to(mark).get(CANDIDATE))
        heading = f"{metric}: failed by {by}"
        blocks += _row_blocks(heading, answered.rows[mark], [("answer", answer)])
    if len(failed) > MOST_FLIPS:
        blocks.append(Text(f"{len(failed) - MOST_FLIPS:,} more failed.", note=True))
    return blocks


def _row_blocks(heading: str, row: ReleasedRow, answers: Sequence[tuple[str, str]]) -> list[Block]:
    return [
        Heading(heading, 3),
        Text(f"Row `{row.trace_id.replace('`', '')}`"),
        Quotes([("question", _cut(row.question or "none"))]),
        Quotes(list(answers)),
    ]


_SIDES: Final[tuple[GateSide, ...]] = (BASELINE, CANDIDATE)


def _label(each: ChangedAnswer, side: GateSide) -> str:
    return f"{side}: {_said(each.baseline if side == BASELINE else each.candidate)}"


def _said(value: str | float) -> str:
    return plain_text(value) if isinstance(value, str) else f"{value:.4g}"


def _answer(answer: KeptAnswer | None) -> str:
    if answer is None:
        return _NO_ANSWER
    parts = [] if answer.response is None else [answer.response]
    parts += [
        f"call of {call.get('name')}: {json.dumps(call.get('arguments'), ensure_ascii=False)}"
        if not isinstance(call.get("arguments"), str)
        else f"call of {call.get('name')}: {call['arguments']}"
        for call in answer.tool_calls
    ]
    return _cut("\n".join(parts) or "an empty answer")


def _cut(text: str) -> str:
    left = len(text) - _LONGEST
    return text if left <= 0 else f"{text[:_LONGEST]}\n… {left:,} more characters"
