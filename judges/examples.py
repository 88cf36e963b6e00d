"""Examples that a chat judge is shown before its question: a row's fields, and the verdict."""

import json
from typing import Any, Literal, TypeAlias

from pydantic import Field, JsonValue

from schemas.errors import UsageError
from schemas.yaml_documents import DocumentPart

ExampleVerdict: TypeAlias = Literal["pass", "fail", "unknown"]


class JudgeExample(DocumentPart):
    """One example: the fields as a judge reads them, and the verdict that is right."""

    fields: dict[str, JsonValue] = Field(min_length=1)
    verdict: ExampleVerdict


def parse_examples(text: str, name: str) -> list[dict[str, Any]]:
    """Return the examples of a file of JSON lines, one object a line with ``verdict`` in it.

    Raises UsageError with the line.
    """
    examples = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            example = json.loads(line)
        except (ValueError, RecursionError):
            raise UsageError(f"{name}, line {number}: it is not JSON.") from None
        if not isinstance(example, dict) or "verdict" not in example:
            raise UsageError(f"{name}, line {number}: it must be an object with a `verdict`.")
        verdict = example.pop("verdict")
        examples.append({"fields": example, "verdict": verdict})
    return examples
