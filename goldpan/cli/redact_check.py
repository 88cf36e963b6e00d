"""``goldpan redact check``: measure redaction on lines that the user labelled."""

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count, format_quantity
from goldpan.cli.main import EXIT_NO
from goldpan.cli.plain_console import styled
from goldpan.cli.progress import STDIN, open_line_file
from redact.crypto.keys import KEY_BYTES, load_keys
from redact.lexical.findings import PiiFinding
from redact.pipeline.jsonl import LineRedactor, RedactedLine
from redact.policies.data_types import DATA_TYPES
from redact.policies.policy import RedactionPolicy, load_policy
from redact.policies.settings import RedactSettings
from redact.reports.labelled_lines import LabelledLineReader, LabelledText, NotLabelledError
from redact.reports.quality import OVERALL, DetectionScore, DetectionScores
from schemas.chunks import in_chunks
from schemas.errors import UsageError

BLOCK: Final = 256


@dataclass(slots=True)
class RedactionCheck:
    """The result for all lines. ``unknown`` counts unknown type names of the labels."""

    scores: DetectionScores
    policy_hash: str
    lines: int = 0
    refused: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[Path, int, str]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether every line was readable and every goal was reached."""
        return not self.problems and not self.missed


@click.command()
@click.argument(
    "files",
    nargs=-1,
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
    metavar="[FILE]...",
    help="Files of labelled lines; - is standard input, and the default.",
)
@click.option(
    "--policy", help="Redaction policy to check, a preset or a file; default: that of the settings."
)
@click.option(
    "--type",
    "types",
    metavar="NAME=TYPE",
    multiple=True,
    help="Map a type name of your labels to one of goldpan's; may be repeated.",
)
@click.option(
    "--least-recall",
    metavar="[TYPE=]SHARE",
    multiple=True,
    help="Exit with 1 if recall is lower, for a type or overall; may be repeated.",
)
@click.option(
    "--least-precision", metavar="[TYPE=]SHARE", multiple=True, help="The same for precision."
)
@click.option(
    "--least-coverage",
    metavar="[TYPE=]SHARE",
    multiple=True,
    help="The same for coverage: the share of values replaced, as any type.",
)
@with_cli_context
@click.pass_context
def check(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    cli: CliContext,
    *,
    files: tuple[Path, ...],
    policy: str | None,
    types: tuple[str, ...],
    least_recall: tuple[str, ...],
    least_precision: tuple[str, ...],
    least_coverage: tuple[str, ...],
) -> None:
    """Measure redaction on your own labelled lines, from files or standard input.

    A line is {"text": …, "spans": [{"start": 0, "end": 3, "type": "PERSON"}]} or {"text": …,
    "values": [{"type": "PERSON", "value": "Ann"}]}. `entity` and `entity_type` are read as `type`,
    and common names such as NAME, PHONE, EMAIL and GPE are known. A value is found if findings of
    its type cover at least 90% of its letters and digits, and gone if that much of it is replaced.
    Exit code 1 if a goal is missed or a line cannot be read.

    \b
    Example:
      goldpan redact check labelled.jsonl --least-recall 0.95 --least-recall PERSON=0.9
    """
    reader = LabelledLineReader(_parse_types(types))
    goals = {
        "recall": _parse_goals("--least-recall", least_recall),
        "precision": _parse_goals("--least-precision", least_precision),
        "coverage": _parse_goals("--least-coverage", least_coverage),
    }
    loaded = load_policy(policy or cli.settings.redact.policy)
    result = _run_check(loaded, cli.settings.redact, reader, files or (STDIN,))
    if not result.lines:
        raise UsageError("There are no labelled lines to check: see goldpan redact check --help.")
    result.missed = _missed_goals(result.scores, goals)
    cli.answer(_result_json(result), lambda console: _show(console, result, loaded))
    if not result.ok:
        ctx.exit(EXIT_NO)


def _run_check(
    policy: RedactionPolicy,
    settings: RedactSettings,
    reader: LabelledLineReader,
    files: Iterable[Path],
) -> RedactionCheck:
    # Findings do not depend on the key, so a throwaway key is enough.
    keys = load_keys(settings, default_secret=bytes(KEY_BYTES))
    if policy.off:
        raise UsageError("The policy `off` finds nothing: name another with --policy.")
    redactor = LineRedactor(policy, keys)
    result = RedactionCheck(DetectionScores(policy.replaced_types()), redactor.policy_hash)
    for file in files:
        with open_line_file(file, watched=sys.stderr.isatty()) as lines:
            for block in in_chunks(enumerate(lines, 1), BLOCK):
                _score_block(result, redactor, reader, file, block)
    return result


def _score_block(
    result: RedactionCheck,
    redactor: LineRedactor,
    reader: LabelledLineReader,
    file: Path,
    lines: Iterable[tuple[int, bytes]],
) -> None:
    """Score a block of lines of a file."""
    labelled: list[LabelledText] = []
    for number, line in lines:
        if line.strip():
            try:
                labelled.append(reader.read(line))
            except NotLabelledError as error:
                result.problems.append((file, number, str(error)))
    inputs = [json.dumps({"id": i, "text": text.text}) for i, text in enumerate(labelled)]
    for text, redacted in zip(labelled, redactor.lines(inputs), strict=True):
        result.lines += 1
        result.unknown.update(text.unknown)
        if redacted.output is None:
            result.refused += 1
            result.scores.add_refused(text.labels)
        else:
            result.scores.add(text.text, text.labels, _findings(redacted))


def _findings(redacted: RedactedLine) -> list[PiiFinding]:
    document: dict[str, Any] = json.loads(redacted.output or b"{}")
    return [PiiFinding(f["type"], f["start"], f["end"], f["score"]) for f in document["findings"]]


def _parse_types(types: Iterable[str]) -> dict[str, str]:
    mapping = {}
    for text in types:
        name, _, kind = text.partition("=")
        if not name or kind not in DATA_TYPES:
            known = ", ".join(DATA_TYPES)
            raise UsageError(f"--type {text}: must be NAME=TYPE; types are {known}.")
        mapping[name] = kind
    return mapping


def _parse_goals(option: str, given: Iterable[str]) -> dict[str, float]:
    """Parse goals, for a type or overall, as shares from 0 to 1."""
    goals = {}
    for text in given:
        kind, sign, share = text.rpartition("=")
        try:
            goal = float(share)
        except ValueError:
            goal = math.nan
        if not 0 <= goal <= 1 or (sign and kind not in DATA_TYPES):
            raise UsageError(f"{option} {text}: must be a share such as 0.95, or PERSON=0.95.")
        goals[kind or OVERALL] = goal
    return goals


def _missed_goals(scores: DetectionScores, goals: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a sentence for each missed goal; a goal without any value counts as missed."""
    missed = []
    for measure, by_type in goals.items():
        for kind, least in by_type.items():
            score = scores.overall if kind == OVERALL else scores.types.get(kind, DetectionScore())
            reached: float | None = getattr(score, measure)
            if reached is None:
                missed.append(f"{measure} of {kind} cannot be measured: no value has this label")
            elif reached < least:
                missed.append(f"{measure} of {kind} is {reached:.3f}, below the goal of {least:g}")
    return missed


def _result_json(result: RedactionCheck) -> dict[str, Any]:
    return {
        "ok": result.ok,
        "policy": result.policy_hash,
        "lines": result.lines,
        "refused": result.refused,
        "unknown_types": dict(sorted(result.unknown.items())),
        "problems": [
            {"file": str(file), "line": number, "detail": detail}
            for file, number, detail in result.problems
        ],
        OVERALL: result.scores.overall.to_json(),
        "types": {kind: score.to_json() for kind, score in result.scores.by_type().items()},
        "missed": result.missed,
    }


def _show(console: Console, result: RedactionCheck, policy: RedactionPolicy) -> None:
    console.print(_table(result.scores))
    lines = format_quantity(result.lines, "line")
    summary = f"{lines}, policy {policy.name} ({result.policy_hash})"
    if result.refused:
        summary += f"; {format_count(result.refused)} refused, so nothing of them is stored"
    console.print(summary, soft_wrap=True, markup=False)
    if result.unknown:
        names = ", ".join(f"{name} {count:,}" for name, count in sorted(result.unknown.items()))
        console.print(
            f"unknown types, not counted: {names} (see --type)",
            soft_wrap=True,
            markup=False,
        )
    for file, number, detail in result.problems:
        console.print(f"{file}:{number}: {detail}", soft_wrap=True, markup=False)
    for goal in result.missed:
        console.print(styled("red", "missed", f": {goal}"), soft_wrap=True)


def _table(scores: DetectionScores) -> Table:
    table = Table("type", "values", "gone", "prec.", "recall", "F2", "found", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, score in scores.by_type().items():
        name = kind if kind in scores.replaced else f"{kind} (kept)"
        table.add_row(name, *_cells(score))
    table.add_section()
    table.add_row(OVERALL, *_cells(scores.overall))
    return table


def _cells(score: DetectionScore) -> list[str]:
    shares = (score.coverage, score.precision, score.recall, score.f2)
    texts = ["-" if share is None else f"{share:.3f}" for share in shares]
    return [format_count(score.labels), *texts, format_count(score.findings)]
