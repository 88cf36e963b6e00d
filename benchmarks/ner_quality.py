"""Measures how well personal data is found in sentences: patterns, stock Presidio, and the model.

    python -m benchmarks.ner_quality --sentences FILE [--side report|development] [--policy strict]

The figures are computed by presidio-research's own evaluator (package presidio-evaluator: spans by
overlap of at least .9, F2). This script installs it into a separate environment below ``build/``,
since it has many dependencies. Its labels are compared on the branches of its own hierarchy
(`CanonicalMapper`: GPE, STREET_ADDRESS and ZIP_CODE are LOCATION; TITLE is PERSON; AGE and NRP are
DEMOGRAPHIC …), without any exception of ours. Findings of a branch that the sentences never contain
count as false. ``overall`` is the evaluator's figure for personal or not.

The sentences are split by template: even numbers are for development, odd ones are reported.
``coverage`` is less strict about edges and types: see :mod:`benchmarks.ner_coverage`.

    python -m benchmarks.ner_quality --languages [--policy strict]

prints coverage by language on the chats of the tests, which need no evaluator.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.ner_coverage import Label, Share, chats, of_type, share
from benchmarks.stock_presidio import build_stock_engine
from redact.crypto.keys import Keys
from redact.lexical.findings import PiiFinding
from redact.lexical.overlaps import merge_overlaps
from redact.ner.stage import NerStage
from redact.pipeline.jsonl import LineRedactor, RedactedLine
from redact.policies.policy import RedactionPolicy, load_policy

EVALUATOR = "presidio-evaluator==0.3.2"
_VENV = Path("build/presidio-evaluator")
_SCORER = Path(__file__).with_name("presidio_scorer.py")
_MIN_SCORE = 0.4  # what Presidio's own evaluation takes

Find = Callable[[Sequence[str]], list[list[PiiFinding]]]


def sentences(path: Path, side: str) -> list[dict[str, Any]]:
    """Return the labelled sentences of one side of the split by template."""
    rest = {"development": 0, "report": 1}[side]
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row["template_id"] % 2 == rest]


def systems(policy: RedactionPolicy, model: str) -> dict[str, Find]:
    """Return what to compare; goldpan's systems find as `goldpan redact --schema text` does."""
    return {
        "patterns": _goldpan(policy, "none"),
        "stock": _stock(),
        "model alone": NerStage(model).find,
        "patterns and model": _goldpan(policy, model),
    }


def _goldpan(policy: RedactionPolicy, model: str) -> Find:
    names = policy.names.model_copy(update={"model": model})
    redactor = LineRedactor(policy.model_copy(update={"names": names}), Keys.derive(b"\0" * 32))

    def find(texts: Sequence[str]) -> list[list[PiiFinding]]:
        lines = [json.dumps({"id": i, "text": text}) for i, text in enumerate(texts)]
        return [_findings(line) for line in redactor.lines(lines)]

    return find


def _findings(line: RedactedLine) -> list[PiiFinding]:
    if line.output is None:
        raise RuntimeError(line.problem)
    found = json.loads(line.output)["findings"]
    return merge_overlaps(
        [PiiFinding(f["type"], f["start"], f["end"], f["score"]) for f in found], ""
    )


def _stock() -> Find:
    """Return Presidio as shipped, on a pipeline without a model."""
    engine = build_stock_engine()

    def find(texts: Sequence[str]) -> list[list[PiiFinding]]:
        found = (engine.analyze(t, language="en", score_threshold=_MIN_SCORE) for t in texts)
        return [[PiiFinding(r.entity_type, r.start, r.end, r.score) for r in one] for one in found]

    return find


def score(
    rows: Sequence[dict[str, Any]], found: dict[str, list[list[PiiFinding]]], python: str
) -> dict[str, Any]:
    """Return the evaluator's figures for each system, computed by the interpreter ``python``."""
    with tempfile.TemporaryDirectory() as folder:
        task, result = Path(folder) / "task.json", Path(folder) / "result.json"
        spans = {
            name: [[(f.type, f.start, f.end, f.score) for f in one] for one in each]
            for name, each in found.items()
        }
        task.write_text(json.dumps({"rows": rows, "found": spans}), encoding="utf-8")
        subprocess.run([python, str(_SCORER), str(task), str(result)], check=True)
        answer: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        return answer


def _evaluator() -> str:
    """Return the interpreter of the evaluator's environment, which is made if it is missing."""
    python, done = _VENV / "bin" / "python", _VENV / EVALUATOR
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_VENV)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", EVALUATOR]
        subprocess.run(pip, check=True)
        done.touch()  # an installation that was cut off is made again
    return str(python)


def covered(rows: Sequence[dict[str, Any]], found: list[list[PiiFinding]]) -> Share:
    """Return how much of the labels is covered by findings."""
    labels = [[Label(s["entity"], s["start"], s["end"]) for s in row["spans"]] for row in rows]
    return share([row["text"] for row in rows], labels, found)


def languages(compared: dict[str, Find]) -> Table:
    """Return precision, coverage and F2 by language for each system, and coverage of persons."""
    table = Table("", *(f"{name}\nP / covered / F2; persons" for name in compared))
    lines = chats()
    for language in dict.fromkeys(line.language for line in lines):
        some = [line for line in lines if line.language == language]
        texts, labels = [line.text for line in some], [line.labels for line in some]
        cells = []
        for find in compared.values():
            found = find(texts)
            persons = share(texts, of_type(labels, "PERSON"), found)
            cells.append(f"{share(texts, labels, found)}; {persons.covered} of {persons.labels}")
        table.add_row(language, *cells)
    return table


@click.command()
@click.option("--sentences", "path", type=click.Path(path_type=Path, exists=True))
@click.option("--languages", "by_language", is_flag=True, help="Chats in eight languages instead.")
@click.option("--side", type=click.Choice(["report", "development"]), default="report")
@click.option("--policy", default="strict", show_default=True)
@click.option("--model", default="shipped", show_default=True)
@click.option("--evaluator", help="An interpreter that has presidio-evaluator already.")
@click.option("--misses", is_flag=True, help="Show what was missed or wrong (development only).")
@click.option("--json", "as_json", is_flag=True)
def main(  # noqa: PLR0913
    path: Path | None,
    side: str,
    policy: str,
    model: str,
    evaluator: str | None,
    *,
    by_language: bool,
    misses: bool,
    as_json: bool,
) -> None:
    """Print F2 overall and by entity type, for each system."""
    console = Console(width=140)
    compared = systems(load_policy(policy), model)
    if by_language:
        console.print(languages(compared))
        return
    if path is None:
        raise click.UsageError("Name the file of --sentences, or ask for --languages.")
    rows = sentences(path, side)
    texts = [row["text"] for row in rows]
    found = {name: find(texts) for name, find in compared.items()}
    result = score(rows, found, evaluator or _evaluator())
    for name, one in result.items():
        one["coverage"] = covered(rows, found[name])
    if as_json:
        click.echo(
            json.dumps(
                {n: {k: v for k, v in r.items() if k != "errors"} for n, r in result.items()}
            )
        )
        return
    console.print(f"{len(rows)} sentences of the {side} side, policy {policy}, model {model}")
    console.print(_table(result))
    if misses and side == "development":
        for error in result["patterns and model"]["errors"]:
            console.print(error, markup=False, highlight=False)


def _table(result: dict[str, Any]) -> Table:
    table = Table("", *(f"{name}\nP / R / F2" for name in result))
    kinds = ["overall", *sorted({k for r in result.values() for k in r["types"]})]
    for kind in kinds:
        cells = []
        for one in result.values():
            f = one["overall"] if kind == "overall" else one["types"].get(kind)
            cells.append(f"{f['p']:.3f} / {f['r']:.3f} / {f['f2']:.3f}" if f else "")
        table.add_row(kind, *cells)
    table.add_row("coverage", *(str(one["coverage"]) for one in result.values()))
    return table


if __name__ == "__main__":
    main()
