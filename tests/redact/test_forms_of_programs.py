"""Values as programs write, pass and print them, and similar text that stays.

`tests/data/forms_of_programs.jsonl` has a text a line with what must be gone (`gone`) and what must
still be there (`kept`): tables with separate headings, forms, database errors, calls, directives,
passwords in sentences; and code, settings and greetings that name nobody.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.redact.lines import outputs

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "forms_of_programs.jsonl")
    .read_text(encoding="utf-8")
    .split("\n")
    if line
]


def wrong(case: dict[str, Any], output: dict[str, Any] | None) -> str:
    """Return what is wrong with the output of a case, nothing if it holds."""
    if output is None:
        return "refused"
    left = [value for value in case["gone"] if value in output["text"]]
    lost = [value for value in case.get("kept", ()) if value not in output["text"]]
    return f"left {left}, lost {lost}" if left or lost else ""


@pytest.mark.parametrize("harmless", [False, True])
def test_values_are_found_in_the_forms_of_programs(harmless: bool) -> None:
    """Personal values are gone in every notation of programs; text that names nobody stays."""
    cases = [case for case in CASES if bool(case["gone"]) is not harmless]
    done = outputs([{"id": "x", "text": case["text"]} for case in cases], "text")
    found = [(case["text"], wrong(case, one)) for case, one in zip(cases, done, strict=True)]
    assert len(cases) > 40
    assert not [each for each in found if each[1]]


def test_a_table_in_an_argument_of_a_tool_is_read_by_its_headings() -> None:
    """Headings apart from rows count in JSON inside of JSON, and the rest of the record learns."""
    rows = {"columns": ["full_name", "ssn"], "data": [["Tobias Brennecke", "521438871"]]}
    record = {
        "trace_id": "t",
        "app": "shop",
        "started_at": 1_793_491_200_000_000,
        "status": "ok",
        "messages": [{"role": "tool", "content": json.dumps({"result": json.dumps(rows)})}],
        "response": "The customer is Brennecke, with 521438871.",
    }
    (output,) = outputs([record], "trace")
    assert output is not None
    assert not [one for one in ("Brennecke", "521438871") if one in json.dumps(output)]
