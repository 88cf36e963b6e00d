"""Measures how much personal data is redacted, by type, on named data; for the page of figures.

    python -m benchmarks.redaction_quality --sentences FILE --conversations FOLDER \\
        [--labelled NAME=FILE] --out docs/figures/redaction.json

`python -m redact.reports.detection_page docs/what-is-found.md` then writes the page.
``--sentences`` are those of presidio-research, of which the side without fitting is used (odd
template numbers). ``--conversations`` are those of tau-bench without fitting (tasks whose number
leaves 2 modulo 4); everything known of their users is the truth. ``--labelled`` are lines as
`goldpan redact check` reads them; NAME describes them on the page.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from redact.crypto.keys import KEY_BYTES, Keys
from redact.lexical.findings import PiiFinding
from redact.pipeline.jsonl import LineRedactor
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import RedactionPolicy, load_policy
from redact.reports.labelled_lines import LabelledLineReader
from redact.reports.quality import DetectionScores
from tests.redact.leaks import Figures, conversations, measure

_KEYS: Final = Keys.derive(bytes(KEY_BYTES))
_HELD_OUT: Final = 2
_SENTENCES: Final = "presidio-research's sentences (MIT), templates with an odd number"
_CONVERSATIONS: Final = (
    "tau-bench's airline conversations (MIT), tasks whose number leaves 2 modulo 4: every mention "
    "of what is known of their users"
)
_KNOWN: Final = {
    "USER_ID": "USER_ID",
    "EMAIL": "EMAIL_ADDRESS",
    "BIRTH_DATE": "DATE_OF_BIRTH",
    "ADDRESS": "STREET_ADDRESS",
    "NAME": "PERSON",
}


def of_lines(
    policy: RedactionPolicy, name: str, short: str, lines: Iterable[bytes]
) -> dict[str, Any]:
    """Return the figures of labelled lines; ``short`` says what their values are."""
    read = [LabelledLineReader({}).read(line) for line in lines if line.strip()]
    redactor = LineRedactor(policy, _KEYS)
    texts = [json.dumps({"id": i, "text": one.text}) for i, one in enumerate(read)]
    scores = DetectionScores(policy.replaced_types())
    for one, done in zip(read, redactor.lines(texts), strict=True):
        if done.output is None:
            scores.add_refused(one.labels)
            continue
        found = json.loads(done.output)["findings"]
        findings = [PiiFinding(f["type"], f["start"], f["end"], f["score"]) for f in found]
        scores.add(one.text, one.labels, findings)
    return {
        "name": name,
        "short": short,
        "texts": len(read),
        "overall": _rounded(scores.overall.to_json()),
        "types": {kind: _rounded(score.to_json()) for kind, score in scores.by_type().items()},
    }


def of_conversations(policy: RedactionPolicy, folder: Path) -> dict[str, Any]:
    """Return the figures of real conversations: what is gone of each kind of value."""
    subjects = json.loads((folder / "subjects.json").read_text(encoding="utf-8"))
    engine = PolicyRedactor(policy, _KEYS)
    found = measure(engine, conversations(folder, _HELD_OUT), subjects)
    kinds = {kind: _gone(found, {kind}) for kind in _KNOWN}
    return {
        "name": _CONVERSATIONS,
        "short": "values known of the people in real conversations",
        "texts": found.traces,
        "overall": _gone(found, set(_KNOWN)),
        "types": {_KNOWN[kind]: figures for kind, figures in sorted(kinds.items())},
        "harmless_share": round(found.harmless_share, 6),
    }


def _gone(found: Figures, kinds: set[str]) -> dict[str, Any]:
    there = sum(many for (kind, _), many in found.there.items() if kind in kinds)
    left = sum(many for (kind, _), many in found.left.items() if kind in kinds)
    return {
        "labels": there,
        "gone": there - left,
        "coverage": round(1 - left / there, 6) if there else None,
    }


def _rounded(score: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in score.items()}


def held_out(path: Path) -> list[bytes]:
    """Return the sentences of the side that nothing was fitted on."""
    lines = path.read_bytes().splitlines()
    return [line for line in lines if json.loads(line)["template_id"] % 2]


@click.command()
@click.option("--sentences", type=click.Path(path_type=Path, exists=True))
@click.option("--conversations", "folder", type=click.Path(path_type=Path, exists=True))
@click.option("--labelled", metavar="NAME=FILE", multiple=True)
@click.option("--policy", default="strict", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write the figures here.")
def main(
    sentences: Path | None,
    folder: Path | None,
    labelled: tuple[str, ...],
    policy: str,
    out: Path | None,
) -> None:
    """Measure redaction on named data, by type."""
    loaded = load_policy(policy)
    sets = []
    if sentences:
        sets.append(
            of_lines(loaded, _SENTENCES, "values in labelled sentences", held_out(sentences))
        )
    for one in labelled:
        name, _, file = one.rpartition("=")
        sets.append(
            of_lines(loaded, name, f"values in {name}", Path(file).read_bytes().splitlines())
        )
    if folder:
        sets.append(of_conversations(loaded, folder))
    text = json.dumps({"policy": policy, "sets": sets}, indent=1, ensure_ascii=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
