"""Records through the redactor that all tests of a process share: documents in, documents out."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, cast

import msgspec

from redact.pipeline.jsonl import LineRedactor
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import load_policy
from schemas.record_batches import RecordKind
from tests.redact.kit import KEYS, decoded, redactor

LineSchema = Literal["text", "trace", "feedback"]


def outputs(
    documents: Sequence[Mapping[str, Any]], schema: LineSchema, policy: str = "strict"
) -> list[dict[str, Any] | None]:
    """Return the documents after redaction under a preset or a policy file; None if refused.

    Texts go the way of ``goldpan redact --schema text``, records that of the worker.
    """
    if schema == "text":
        done = _texts(policy).lines([json.dumps(document) for document in documents])
        return [None if line.output is None else json.loads(line.output) for line in done]
    batch = decoded(documents, RecordKind(schema))
    rows = cast("PolicyRedactor", redactor(policy)).in_place(batch).passed
    passed = {row: msgspec.to_builtins(batch.records[row]) for row in rows}
    return [passed.get(row) for row in range(len(documents))]


@lru_cache
def _texts(policy: str) -> LineRedactor:
    """Return the redactor of texts under a policy: building it takes seconds."""
    return LineRedactor(load_policy(policy), KEYS)
