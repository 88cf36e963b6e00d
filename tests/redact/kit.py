"""What the tests of redaction share: a redactor, and batches of records made from dicts."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import pytest

from redact.build import loaded_build
from redact.crypto.keys import Keys
from redact.pipeline.factory import build_redactor
from redact.pipeline.redactor import RedactionOutcome, Redactor
from redact.policies.policy import load_policy
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.records import Feedback, Trace

NOW = 1_793_491_200_000_000
KEYS = Keys.derive(b"k" * 32)
_TYPES = {RecordKind.TRACE: Trace, RecordKind.FEEDBACK: Feedback}


def needs_pure_python() -> None:
    """Skip a test that replaces a part of an object, which a compiled one does not allow."""
    if loaded_build() == "compiled":
        pytest.skip("replaces a part of an object, and redaction is compiled")


@lru_cache
def redactor(policy: str = "strict") -> Redactor:
    """Return the redactor of a preset, built once a run."""
    return build_redactor(load_policy(policy), KEYS)


def decoded(
    records: Sequence[Mapping[str, Any]], kind: RecordKind = RecordKind.TRACE
) -> DecodedBatch[Any]:
    """Return a batch of records, as the decoder would have made it."""
    rows = range(len(records))
    return DecodedBatch(
        kind=kind,
        topic=f"llm.{kind.value}",
        records=[msgspec.convert(record, _TYPES[kind]) for record in records],
        partitions=[0 for _ in rows],
        offsets=list(rows),
        schema_ids=["0" * 16 for _ in rows],
        raws=[RawRecord(0, i, -1, None, msgspec.json.encode(records[i])) for i in rows],
    )


def redacted(
    records: Sequence[Mapping[str, Any]],
    kind: RecordKind = RecordKind.TRACE,
    policy: str = "strict",
) -> RedactionOutcome:
    """Redact records under a preset."""
    return redactor(policy).redact(decoded(records, kind), ingested_at=NOW)


def rows(outcome: RedactionOutcome) -> list[dict[str, Any]]:
    """Return the rows of an outcome."""
    return list(outcome.rows.value.to_pylist())


def minimal(**fields: Any) -> dict[str, Any]:
    """Return the smallest trace, with ``fields``."""
    return {
        "trace_id": "t",
        "app": "shop",
        "started_at": NOW,
        "status": "ok",
        **fields,
    }


def said(text: str, role: str = "user") -> dict[str, Any]:
    """Return a trace in which one message says ``text``."""
    return minimal(messages=[{"role": role, "content": text}])


def content(outcome: RedactionOutcome) -> str:
    """Return what the first message of the first row says after redaction."""
    return str(rows(outcome)[0]["messages"][0]["content"])
