"""Failures of hunts as fixed cases: every kind that was ever found, one line of `found.jsonl` each.

A line has the fields of ``tests/data/redaction_cases`` (`kind`, `id`, `note`, `schema`, `policy`,
`input`, `gone`) and `words`, which are gone as whole words. Where neither holds anything, the
record must come out unchanged. Characters of keys are escaped, so that secret scanners accept the
file.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.redact.hunt.combine import Combination
from tests.redact.hunt.judge import left
from tests.redact.hunt.run import changed, said
from tests.redact.hunt.shrink import signature
from tests.redact.lines import outputs

PATH = Path(__file__).parent / "found.jsonl"
_RUN = re.compile(r"[A-Za-z0-9_-]{14,}")
_EVERY = 8
"""Characters between two that are escaped in a long run of letters and digits."""


def read(path: Path = PATH) -> list[dict[str, Any]]:
    """Return the fixed cases."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def failures(cases: Sequence[dict[str, Any]]) -> list[str]:
    """Redact the cases, and return a sentence for each that fails."""
    found = []
    groups = dict.fromkeys((case["policy"], case["schema"]) for case in cases)
    for policy, schema in groups:
        some = [c for c in cases if (c["policy"], c["schema"]) == (policy, schema)]
        done = outputs([case["input"] for case in some], schema, policy)
        found += [(case, _wrong(case, result)) for case, result in zip(some, done, strict=True)]
    return [f"#{case['id']} {case['kind']}: {wrong}" for case, wrong in found if wrong]


def _wrong(case: dict[str, Any], result: Any) -> str:
    if result is None:
        return "" if case.get("may_refuse") else "refused"
    if not case["gone"] and not case["words"]:
        return changed(case["input"], result)
    still = left(said(result), tuple(case["gone"]), tuple(case["words"]))
    return f"left: {still}" if still else ""


def add(simplest: Iterable[Combination], path: Path = PATH) -> int:
    """Write failures of kinds that the file does not hold yet; return how many were new."""
    known = {case["kind"] for case in read(path)} if path.exists() else set()
    number = len(read(path)) if path.exists() else 0
    lines: list[str] = []
    for one in simplest:
        kind = ("harmless: " if one.harmless else "") + signature(one)
        if kind not in known:
            known.add(kind)
            lines.append(_line(number + len(lines), kind, one))
    with path.open("a", encoding="utf-8") as file:
        file.writelines(lines)
    return len(lines)


def _line(number: int, kind: str, one: Combination) -> str:
    case = {
        "kind": kind,
        "id": number,
        "note": one.identity,
        "schema": one.schema,
        "policy": one.value.policy,
        "input": one.record,
        "gone": one.value.gone,
        "words": one.value.words,
    }
    if one.shape.way == "in an id" and not one.harmless:
        case["may_refuse"] = True
    return _escaped(case) + "\n"


def _escaped(value: Any) -> str:
    """Return a value as JSON with every long run of letters and digits escaped."""
    if isinstance(value, str):
        hidden = {
            at for run in _RUN.finditer(value) for at in range(run.start() + 2, run.end(), _EVERY)
        }
        parts = [
            f"\\u{ord(c):04x}" if at in hidden else json.dumps(c)[1:-1]
            for at, c in enumerate(value)
        ]
        return f'"{"".join(parts)}"'
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_escaped(k)}: {_escaped(v)}' for k, v in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_escaped, value))}]"
    return json.dumps(value)
