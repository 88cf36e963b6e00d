"""Lines in, redacted lines out: the work of ``goldpan redact``, for one process or several."""

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
from schemas.arrow import EVENT_DATE, TABLES
from schemas.columns import TABLE_OF_KIND
from schemas.record_batches import RawRecord, RecordKind, RejectedRecord

TEXT_SCHEMA: Final = "text"
LINE_SCHEMAS = (*(kind.value for kind in RecordKind), TEXT_SCHEMA)


@dataclass(frozen=True, slots=True)
class LineResult:
    """What came of the line with this number (from 1); ``reason`` and ``field`` if refused."""

    number: int
    line: RedactedLine
    reason: str | None = None
    field: str | None = None


class LineEngine(Protocol):
    """Redacts some lines, in order; ``first`` is the number of the first one."""

    policy_hash: str

    def run(self, first: int, lines: Sequence[bytes]) -> list[LineResult]:
        """Return what came of each line that is not blank."""


def open_line_engine(settings: Settings, schema: str, *, report: bool = False) -> LineEngine:
    """Return what redacts lines of ``schema``; UsageError if policy or keys are wrong.

    With ``report`` lines tell of records what was found and kept, too; of texts they always do.
    """
    if schema == TEXT_SCHEMA:
        return _Texts(settings)
    return _Records(settings, RecordKind(schema), report=report)


class _Texts:
    """Lines of ``{"id", "text"}``."""

    def __init__(self, settings: Settings) -> None:
        policy = load_policy(settings.redact.policy)
        self._redactor = LineRedactor(policy, load_keys(settings.redact))
        self.policy_hash = self._redactor.policy_hash

    def run(self, first: int, lines: Sequence[bytes]) -> list[LineResult]:
        full = [(first + i, line) for i, line in enumerate(lines) if line.strip()]
        done = self._redactor.lines([line for _, line in full])
        return [
            LineResult(number, line, reason="refused" if line.problem else None)
            for (number, _), line in zip(full, done, strict=True)
        ]


class _Records:
    """Lines that are records of the contract, decoded and refused as the worker does it."""

    def __init__(self, settings: Settings, kind: RecordKind, *, report: bool) -> None:
        policy, keys = load_policy(settings.redact.policy), load_keys(settings.redact)
        self._redactor = build_redactor(policy, keys, audit=True, report=report)
        self.policy_hash = self._redactor.policy_hash
        self._decoder = wiring.make_decoder(settings, kind)
        provenance = {
            name for name in TABLES[TABLE_OF_KIND[kind]].arrow.names if name.startswith("_")
        }
        self._hidden = provenance | {EVENT_DATE}

    def run(self, first: int, lines: Sequence[bytes]) -> list[LineResult]:
        raws = [
            RawRecord(0, first + i, -1, None, line) for i, line in enumerate(lines) if line.strip()
        ]
        decoded, undecoded = self._decoder.decode("", raws)
        outcome = self._redactor.redact(decoded, ingested_at=wiring.now_us())
        refused = [_refused(one) for one in (*undecoded, *outcome.rejected)]
        left_out = {one.number for one in refused}
        passed = [raw.offset for raw in raws if raw.offset not in left_out]
        told = {entry.offset: entry for entry in outcome.audit}
        rows = self._rows(outcome.rows.value)
        done = [
            LineResult(number, _line(row, told.get(number)))
            for number, row in zip(passed, rows, strict=True)
        ]
        return sorted([*done, *refused], key=lambda one: one.number)

    def _rows(self, batch: pa.RecordBatch) -> list[dict[str, Any]]:
        shown = batch.select([name for name in batch.schema.names if name not in self._hidden])
        maps = [field.name for field in shown.schema if pa.types.is_map(field.type)]
        return [_plain(row, maps) for row in shown.to_pylist()]


def _line(row: Mapping[str, Any], entry: AuditEntry | None) -> RedactedLine:
    output = json.dumps(row, ensure_ascii=False).encode()
    if entry is None:
        return RedactedLine(output)
    replaced = Counter(f"{one.type}/{one.operator}" for one in entry.positions)
    kept = {one.type: one.count for one in entry.kept}
    return RedactedLine(output, characters=entry.characters, replaced=dict(replaced), kept=kept)


def _refused(one: RejectedRecord) -> LineResult:
    return LineResult(
        one.raw.offset, RedactedLine(None, one.detail), reason=str(one.reason), field=one.field
    )


def _plain(row: Mapping[str, Any], maps: Sequence[str]) -> dict[str, Any]:
    """Return a row as JSON can hold it: times as RFC 3339, maps as objects."""
    plain: dict[str, Any] = {
        name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
        for name, value in row.items()
    }
    return plain | {name: dict(plain[name]) for name in maps}
