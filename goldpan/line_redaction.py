"""Redacts JSON lines for ``goldpan redact``, in one process or several."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import pyarrow as pa

from goldpan import wiring
from goldpan.settings import Settings
from redact.crypto.keys import load_keys
from redact.pipeline.audit import AuditEntry
from redact.pipeline.factory import build_redactor
from redact.pipeline.jsonl import LineRedactor, RedactedLine
from redact.policies.policy import load_policy
from schemas.arrow import TABLES
from schemas.columns import TABLE_OF_KIND
from schemas.contract import CONTRACTS
from schemas.record_batches import SENT_KINDS, RawRecord, RecordKind, RejectedRecord
from schemas.times import format_rfc3339

TEXT_SCHEMA: Final = "text"
LINE_SCHEMAS = (*(kind.value for kind in SENT_KINDS), TEXT_SCHEMA)


@dataclass(frozen=True, slots=True)
class LineResult:
    """The result for line ``number`` (from 1); ``reason`` and ``field`` if it was refused."""

    number: int
    line: RedactedLine
    reason: str | None = None
    field: str | None = None


class LineEngine(Protocol):
    """Redacts blocks of lines."""

    policy_hash: str

    def run(self, first: int, lines: Sequence[bytes]) -> list[LineResult]:
        """Return the results for lines that are not blank; the first line has number ``first``."""


def open_line_engine(settings: Settings, schema: str, *, report: bool = False) -> LineEngine:
    """Return the engine for lines of ``schema``; UsageError if policy or keys are wrong.

    With ``report``, results for records also count findings that were kept; those for plain texts
    always do.
    """
    wiring.keep_expressions(settings.redact, load_keys(settings.redact))
    if schema == TEXT_SCHEMA:
        return _TextEngine(settings)
    return _RecordEngine(settings, RecordKind(schema), report=report)


class _TextEngine:
    """Redacts lines of ``{"id", "text"}``."""

    def __init__(self, settings: Settings) -> None:
        policy = load_policy(settings.redact.policy)
        self._redactor = LineRedactor(policy, load_keys(settings.redact))
        self.policy_hash = self._redactor.policy_hash

    def run(self, first: int, lines: Sequence[bytes]) -> list[LineResult]:
        not_blank = [(first + i, line) for i, line in enumerate(lines) if line.strip()]
        redacted = self._redactor.lines([line for _, line in not_blank])
        return [
            LineResult(number, line, reason="refused" if line.problem else None)
            for (number, _), line in zip(not_blank, redacted, strict=True)
        ]


class _RecordEngine:
    """Redacts lines that are records of the contract, decoded and refused as in the worker."""

    def __init__(self, settings: Settings, kind: RecordKind, *, report: bool) -> None:
        policy, keys = load_policy(settings.redact.policy), load_keys(settings.redact)
        self._redactor = build_redactor(policy, keys, audit=True, report=report)
        self.policy_hash = self._redactor.policy_hash
        self._decoder = wiring.make_decoder(settings, kind)
        table = TABLES[TABLE_OF_KIND[kind]]
        fields = {field.name for field in CONTRACTS[table.record].fields}
        self._hidden = set(table.arrow.names) - fields

    def run(self, first: int, lines: Sequence[bytes]) -> list[LineResult]:
        raws = [
            RawRecord(0, first + i, -1, None, line) for i, line in enumerate(lines) if line.strip()
        ]
        decoded, undecoded = self._decoder.decode("", raws)
        outcome = self._redactor.redact(decoded, ingested_at=wiring.now_us())
        refused = [_refused_line(record) for record in (*undecoded, *outcome.rejected)]
        refused_numbers = {result.number for result in refused}
        passed = [raw.offset for raw in raws if raw.offset not in refused_numbers]
        audit = {entry.offset: entry for entry in outcome.audit}
        rows = self._visible_rows(outcome.rows.value)
        redacted = [
            LineResult(number, _redacted_line(row, audit.get(number)))
            for number, row in zip(passed, rows, strict=True)
        ]
        return sorted([*redacted, *refused], key=lambda result: result.number)

    def _visible_rows(self, batch: pa.RecordBatch) -> list[dict[str, Any]]:
        visible = batch.select([name for name in batch.schema.names if name not in self._hidden])
        maps = [field.name for field in visible.schema if pa.types.is_map(field.type)]
        return [_json_values(row, maps) for row in visible.to_pylist()]


def _redacted_line(row: Mapping[str, Any], entry: AuditEntry | None) -> RedactedLine:
    output = json.dumps(row, ensure_ascii=False).encode()
    if entry is None:
        return RedactedLine(output)
    replaced = Counter(f"{position.type}/{position.operator}" for position in entry.positions)
    kept_counts = {finding.type: finding.count for finding in entry.kept}
    return RedactedLine(
        output, characters=entry.characters, replaced=dict(replaced), kept=kept_counts
    )


def _refused_line(record: RejectedRecord) -> LineResult:
    line = RedactedLine(None, record.detail)
    return LineResult(record.raw.offset, line, reason=str(record.reason), field=record.field)


def _json_values(row: Mapping[str, Any], maps: Sequence[str]) -> dict[str, Any]:
    """Return a row as JSON values: times as RFC 3339, maps as objects."""
    values: dict[str, Any] = {
        name: format_rfc3339(value) if isinstance(value, datetime) else value
        for name, value in row.items()
    }
    return values | {name: dict(values[name]) for name in maps}
