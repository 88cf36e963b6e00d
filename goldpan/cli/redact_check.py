"""``goldpan redact check``: how well redaction does on lines that a team has labelled itself."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from goldpan.cli.context import CliContext, with_cli_context
from goldpan.cli.formatting import format_count
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
from schemas.errors import UsageError

BLOCK: Final = 256


@dataclass(slots=True)
class RedactionCheck:
    """What came of all lines. ``unknown`` counts names of types that are not known."""

    scores: DetectionScores
    policy_hash: str
    lines: int = 0
    refused: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[Path, int, str]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Return whether every line could be read and every goal was reached."""
        return not self.problems and not self.missed


@click.command()
@click.argument(
    "files",
    nargs=-1,
    type=click.Path(path_type=Path, exists=True, dir_okay=False, allow_dash=True),
)
@click.option("--policy", help="Policy to check, a preset or a file; else that of the settings.")
@click.option(
    "--type",
    "types",
    metavar="NAME=TYPE",
    multiple=True,
    help="What a type of the labels is called here; may be given again.",
)
@click.option(
    "--least-recall",
    metavar="[TYPE=]SHARE",
    multiple=True,
    help="Exit with 1 if less is found, of a type or in all; may be given again.",
)
@click.option(
    "--least-precision", metavar="[TYPE=]SHARE", multiple=True, help="The same for precision."
)
@click.option(
    "--least-coverage",
    metavar="[TYPE=]SHARE",
    multiple=True,
    help="The same for the share of values that are gone, as whatever type.",
)
@with_cli_context
@click.pass_context
def check(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    call: CliContext,
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
    and names such as NAME, PHONE, EMAIL, GPE are known. A value is found if findings of its type
    cover at least 90 % of its letters and digits, and gone if as much of it is replaced. Exit code
    1 if a goal is missed, or a line cannot be read.

    \b
    Example:
      goldpan redact check labelled.jsonl --least-recall 0.95 --least-recall PERSON=0.9
    """
    reader = LabelledLineReader(_mapping(types))
    goals = {
        "recall": _goals("--least-recall", least_recall),
        "precision": _goals("--least-precision", least_precision),
        "coverage": _goals("--least-coverage", least_coverage),
    }
    loaded = load_policy(policy or call.settings.redact.policy)
    checked = _checked(loaded, call.settings.redact, reader, files or (STDIN,))
    if not checked.lines:
        raise UsageError("There is no labelled line to check: see goldpan redact check --help.")
    checked.missed = _missed(checked.scores, goals)
    call.answer(_json(checked), lambda console: _show(console, checked, loaded))
    if not checked.ok:
        ctx.exit(EXIT_NO)


def _checked(
    policy: RedactionPolicy,
    settings: RedactSettings,
    reader: LabelledLineReader,
    files: Iterable[Path],
) -> RedactionCheck:
    # What is found does not depend on the key, so one that is of no use later will do.
    keys = load_keys(settings, default_secret=bytes(KEY_BYTES))
    if policy.off:
        raise UsageError("The policy `off` finds nothing: name another with --policy.")
    redactor = LineRedactor(policy, keys)
    checked = RedactionCheck(DetectionScores(policy.replaced()), redactor.policy_hash)
    for file in files:
        with open_line_file(file, watched=sys.stderr.isatty()) as lines:
            numbered = enumerate(lines, 1)
            while some := list(islice(numbered, BLOCK)):
                _block(checked, redactor, reader, file, some)
    return checked


def _block(
    checked: RedactionCheck,
    redactor: LineRedactor,
    reader: LabelledLineReader,
    file: Path,
    lines: Iterable[tuple[int, bytes]],
) -> None:
    """Count some lines of a file."""
    read: list[LabelledText] = []
    for number, line in lines:
        if line.strip():
            try:
                read.append(reader.read(line))
            except NotLabelledError as error:
                checked.problems.append((file, number, str(error)))
    texts = [json.dumps({"id": i, "text": one.text}) for i, one in enumerate(read)]
    for one, done in zip(read, redactor.lines(texts), strict=True):
        checked.lines += 1
        checked.unknown.update(one.unknown)
        if done.output is None:
            checked.refused += 1
            checked.scores.add_refused(one.labels)
        else:
            checked.scores.add(one.text, one.labels, _findings(done))


def _findings(done: RedactedLine) -> list[PiiFinding]:
    document: dict[str, Any] = json.loads(done.output or b"{}")
    return [PiiFinding(f["type"], f["start"], f["end"], f["score"]) for f in document["findings"]]


def _mapping(types: Iterable[str]) -> dict[str, str]:
    found = {}
    for one in types:
        name, _, kind = one.partition("=")
        if not name or kind not in DATA_TYPES:
            raise UsageError(f"--type {one}: must be NAME=TYPE; types are {', '.join(DATA_TYPES)}.")
        found[name] = kind
    return found


def _goals(option: str, given: Iterable[str]) -> dict[str, float]:
    """Read goals, of a type or of all together, as shares from 0 to 1."""
    found = {}
    for one in given:
        kind, sign, share = one.rpartition("=")
        try:
            found[kind or OVERALL] = float(share)
        except ValueError:
            found[kind or OVERALL] = -1.0
        if not 0 <= found[kind or OVERALL] <= 1 or (sign and kind not in DATA_TYPES):
            raise UsageError(f"{option} {one}: must be a share such as 0.95, or PERSON=0.95.")
    return found


def _missed(scores: DetectionScores, goals: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return in a sentence each goal that was not reached; one without any value is not."""
    missed = []
    for what, by_type in goals.items():
        for kind, least in by_type.items():
            score = scores.overall if kind == OVERALL else scores.types.get(kind, DetectionScore())
            reached: float | None = getattr(score, what)
            if reached is None:
                missed.append(f"{what} of {kind} cannot be measured: there is no such value")
            elif reached < least:
                missed.append(f"{what} of {kind} is {reached:.3f}, less than {least:g}")
    return missed


def _json(checked: RedactionCheck) -> dict[str, Any]:
    return {
        "ok": checked.ok,
        "policy": checked.policy_hash,
        "lines": checked.lines,
        "refused": checked.refused,
        "unknown_types": dict(sorted(checked.unknown.items())),
        "problems": [
            {"file": str(file), "line": number, "detail": detail}
            for file, number, detail in checked.problems
        ],
        OVERALL: checked.scores.overall.to_json(),
        "types": {kind: one.to_json() for kind, one in checked.scores.by_type().items()},
        "missed": checked.missed,
    }


def _show(console: Console, checked: RedactionCheck, policy: RedactionPolicy) -> None:
    console.print(_table(checked.scores))
    told = f"{format_count(checked.lines)} lines, policy {policy.name} ({checked.policy_hash})"
    if checked.refused:
        told += f"; {format_count(checked.refused)} refused: nothing of them passes"
    console.print(told, soft_wrap=True, markup=False)
    if checked.unknown:
        names = ", ".join(f"{name} {many}" for name, many in sorted(checked.unknown.items()))
        console.print(
            f"types that are not known, and not counted: {names} (see --type)",
            soft_wrap=True,
            markup=False,
        )
    for file, number, detail in checked.problems:
        console.print(f"{file}:{number}: {detail}", soft_wrap=True, markup=False)
    for one in checked.missed:
        console.print(styled("red", "missed", f": {one}"), soft_wrap=True)


def _table(scores: DetectionScores) -> Table:
    table = Table("type", "values", "gone", "prec.", "recall", "F2", "found", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, one in scores.by_type().items():
        name = kind if kind in scores.replaced else f"{kind} (kept)"
        table.add_row(name, *_cells(one))
    table.add_section()
    table.add_row(OVERALL, *_cells(scores.overall))
    return table


def _cells(score: DetectionScore) -> list[str]:
    shares = (score.coverage, score.precision, score.recall, score.f2)
    written = ["-" if share is None else f"{share:.3f}" for share in shares]
    return [format_count(score.labels), *written, format_count(score.findings)]
