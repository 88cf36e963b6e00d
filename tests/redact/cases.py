"""The cases of ``tests/data/redaction_cases``: reading, running in this process, and judging.

The rules are those of the README beside the cases.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.redact.lines import LineSchema, outputs

FOLDER = Path(__file__).parents[1] / "data" / "redaction_cases"
Case = Mapping[str, Any]

_FILLER = {
    "prose": (
        "The crate with {n} candles stood in the corridor until somebody asked for it. ",
        "After {n} minutes the pump had emptied the cellar, and the floor could dry. ",
        "It would be better to wait for the second delivery than to open the first one. ",
        "The shelf fits under the window if the lower board is taken out before. ",
        "When the shop opens again, the old receipts will still be valid. ",
    ),
    "names": (
        "In April the Evening Star went from Trieste to the Port of Varna with Wheat and Salt. ",
        "The Blue Kettle offers Toast with Butter, Lentil Soup and {n} kinds of Tea. ",
        "Rules and Exceptions, Section {n}: Orders, Invoices, Returns and Complaints. ",
    ),
    "log": ("08:30:{s:02} INFO  loader-{w} wrote {n} rows of shop.items in {m} ms\n",),
}
_TOKEN = r"<{type}:([a-z2-7]{{12}})>"


class Part(NamedTuple):
    """One line that a case puts in: the schema it has, and the document."""

    case: int
    schema: LineSchema
    document: dict[str, Any]


def read(path: Path = FOLDER / "cases.jsonl") -> list[Case]:
    """Return the cases of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def kinds(cases: Sequence[Case]) -> list[str]:
    """Return the kinds in the order of the cases."""
    return list(dict.fromkeys(case["kind"] for case in cases))


def failures(cases: Sequence[Case], *, shorter: int = 1) -> list[str]:
    """Redact cases, and return a sentence for each that fails.

    ``shorter`` divides the length of the harmless text that cases ask for.
    """
    done: dict[int, list[dict[str, Any] | None]] = {case["id"]: [] for case in cases}
    for policy in dict.fromkeys(case["policy"] for case in cases):
        parts = [p for case in cases if case["policy"] == policy for p in _parts(case, shorter)]
        for schema in dict.fromkeys(part.schema for part in parts):
            chosen = [part for part in parts if part.schema == schema]
            results = outputs([part.document for part in chosen], schema, _source(policy))
            for part, document in zip(chosen, results, strict=True):
                done[part.case].append(document)
    found = ((case, judge(case, done[case["id"]])) for case in cases)
    return [_sentence(case, why) for case, why in found if why]


def _source(policy: str | None) -> str:
    """Return the preset of a case, or the path of the policy file beside the cases."""
    source = policy or "strict"
    return str(FOLDER / source) if source.endswith(".yaml") else source


def judge(case: Case, results: Sequence[dict[str, Any] | None]) -> str:
    """Return what is wrong with the results of a case (None: refused), nothing if it passes."""
    passed = [output for output in results if output is not None]
    if len(passed) < len(results):
        return "" if case.get("may_refuse") else "refused"
    if case["schema"] == "trace":
        for output in passed:
            output.pop("trace_id")
    else:
        passed = [output["text"] for output in passed]
    if case["schema"] == "same":
        return _differing(passed, case["type"])
    texts = [text for output in passed for text in strings(output)]
    left = [gone for gone in case["gone"] if any(gone in text for text in texts)]
    whole = "\n".join([*texts, json.dumps(passed)])
    lost = [kept for kept in case["kept"] if kept not in whole]
    reasons = [f"left: {left}"] * bool(left) + [f"lost: {lost}"] * bool(lost)
    return "; ".join([*reasons, f"output: {texts}"]) if reasons else ""


def strings(value: Any) -> Iterator[str]:
    """Yield all strings in a value, also those of JSON inside a string; keys are not included."""
    if isinstance(value, str):
        yield value
        if value.startswith(("{", "[")):
            try:
                inner = json.loads(value)
            except ValueError:
                return
            yield from strings(inner)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def _differing(texts: Sequence[Any], kind: str) -> str:
    tokens = [re.findall(_TOKEN.format(type=kind), text)[-1:] for text in texts]
    return "" if tokens[0] and tokens[0] == tokens[1] else f"two stand-ins: {texts}"


def _parts(case: Case, shorter: int) -> Iterator[Part]:
    given = case["input"]
    schema: LineSchema = "trace" if case["schema"] == "trace" else "text"
    for number, value in enumerate(given if isinstance(given, list) else [given]):
        if schema == "text":
            yield Part(case["id"], schema, {"id": number, "text": value})
        else:
            record = json.loads(filled(json.dumps(value), shorter))
            yield Part(case["id"], schema, {**record, "trace_id": f"case-{case['id']}-{number}"})


def filled(text: str, shorter: int = 1) -> str:
    """Return JSON with harmless text instead of `{{prose:N}}`, `{{names:N}}`, `{{log:N}}`."""
    return re.sub(
        r"\{\{(prose|names|log):(\d+)\}\}",
        lambda m: json.dumps(_filler(m[1], int(m[2]) // shorter))[1:-1],
        text,
    )


def _filler(kind: str, length: int) -> str:
    pieces = _FILLER[kind]
    text: list[str] = []
    size = number = 0
    while size < length:
        values = {"n": 2 + number % 83, "s": number % 60, "w": number % 5, "m": number % 71}
        text.append(pieces[number % len(pieces)].format(**values))
        size += len(text[-1])
        number += 1
    return "".join(text)


def _sentence(case: Case, why: str) -> str:
    shown = json.dumps(case["input"], ensure_ascii=False)[:240]
    return f"#{case['id']} ({case['note']}): {why[:600]}\n    input: {shown}"
