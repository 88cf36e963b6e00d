"""Generates the page ``docs/contract.md``: ``python -m schemas.contract_docs docs/contract.md``."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from schemas.arrow import EVENT_DATE, PROVENANCE, TABLES
from schemas.assembly_columns import ASSEMBLY_COLUMN_DOCS, ASSEMBLY_COLUMNS
from schemas.column_docs import PROVENANCE_DOCS
from schemas.contract import CONTRACTS, Contract, ContractField, FieldType, Pii
from schemas.reasons import QuarantineReason
from schemas.table_keys import render_table_keys
from schemas.topics import TOPICS


def render_contract_page() -> str:
    """Return the page as Markdown."""
    sections = (_head(), _topics(), _contracts(), _tables(), render_table_keys(), _reasons())
    return "\n".join(line for section in sections for line in section)


def _head() -> Iterator[str]:
    yield from (
        "# The contract",
        "",
        "Written by `python -m schemas.contract_docs docs/contract.md` from `schemas/avro/*.avsc`; "
        "a test keeps it equal to them.",
        "",
        "A record is Avro with Confluent framing, single-object Avro, or JSON (UTF-8) with the "
        "same field names. JSON gives times as RFC 3339 with a zone, or as whole microseconds "
        "since 1970 (UTC). A field that is not listed here, or has no class of personal data, is "
        "rejected: only classified data is stored. A leap second "
        "(`2016-12-31T23:59:60Z`) becomes the next second. Half a surrogate pair, as a truncated "
        "stream leaves it, becomes U+FFFD.",
        "",
        "Schemas evolve BACKWARD_TRANSITIVE: what any released version allowed stays valid. "
        "Fields are added with a default; none is removed or renamed.",
        "",
        "Producers can check records before they send them. "
        "`goldpan contract check --record trace samples.jsonl` reports the lines that would be "
        "quarantined, with the names of unknown fields; it also accepts an Avro schema (`.avsc`). "
        "`goldpan contract export --format json-schema --out contract/` writes the contract as "
        "JSON Schema (or `avro`, or `odcs` for the tables).",
        "",
        *_OPENAI,
        "## Classes of personal data",
        "",
    )
    yield from _table(("class", "what happens"), ((f"`{pii}`", pii.meaning) for pii in Pii))


_OPENAI: Final = (
    "## OpenAI's shape",
    "",
    "Traces as JSON may have the shape of OpenAI's chat completions, at the top level or as "
    "`request` and `response`. `app` and any other field of the contract may be added to them "
    "and takes precedence. `_schema` then ends in `+openai-chat`. Redaction applies as always.",
    "",
    *(
        f"- {line}"
        for line in (
            "`messages[].content` as a list of parts: texts are joined by line feeds; with "
            "pictures, sounds or files it is stored as JSON. Embedded data is left out, since it "
            "cannot be redacted; an address (`https://…`) is kept as text.",
            "`messages[].tool_calls[].function` (and `function_call`): `name` and `arguments` of "
            "the call. A `refusal` becomes the text where there is no content.",
            "`choices[0].message`, or a `response` that is a message: `response` and `tool_calls`; "
            "`finish_reason`. Further choices are left out.",
            "`id`: `request_id`, and `trace_id` if there is none; `created`: `started_at` if there "
            "is none.",
            "`usage`: `input_tokens`, `output_tokens`; `model` of the answer: `model_version`, of "
            "the request: `model_requested`.",
            "`user` or `safety_identifier`: `user_id`; `error`: `error_type`, `error_message` and "
            "`status`.",
            "Without a `trace_id`, use `id` as the key of the Kafka record, for feedback too.",
            "`metadata`: `attributes`; settings such as `temperature`: `attributes` named "
            "`openai.temperature`.",
            "Left out: tool definitions, log probabilities, fingerprints, other figures of "
            "`usage`, results of content filters and the reasoning before an answer "
            "(`reasoning_content`). Any other name is rejected, as everywhere.",
            "Not accepted: chunks of a stream (send the whole answer), lines of batch files (send "
            "`body` as `request`, `response.body` as `response`), the Responses API.",
        )
    ),
    "",
)


def _topics() -> Iterator[str]:
    yield from ("", "## Topics", "")
    yield from _table(
        ("topic", "what", "key", "record", "compatibility", "kept, days", "owner"),
        (
            (
                f"`{topic.topic}`",
                topic.description,
                f"`{topic.key}`",
                f"[{topic.schema}](#{topic.schema})",
                topic.compatibility,
                str(topic.retention_days),
                topic.owner,
            )
            for topic in TOPICS.values()
        ),
    )


def _contracts() -> Iterator[str]:
    for contract in CONTRACTS.values():
        yield from ("", f"## {contract.name}", "", contract.doc, "")
        yield f"Fingerprint (CRC-64-AVRO): `{contract.fingerprint}`. Released versions: " + (
            ", ".join(map(str, contract.released)) + "."
        )
        yield ""
        yield from _table(("field", "type", "class", "what it holds"), _field_rows(contract))


def _field_rows(contract: Contract) -> Iterator[tuple[str, ...]]:
    for field in contract.walk():
        yield f"`{field.path}`", _type(field), f"`{field.pii}`", field.doc


def _type(field: ContractField) -> str:
    text = _TYPE_WORDS[field.type]
    if field.symbols:
        text += ": " + ", ".join(field.symbols)
    if limit := _limit(field):
        text += f", {limit}"
    return f"{text}, {_presence(field)}"


def _presence(field: ContractField) -> str:
    if field.nullable:
        return "optional"
    return "may be left out" if field.has_default else "required"


def _limit(field: ContractField) -> str:
    limits = field.limits
    if field.type is FieldType.TIMESTAMP:
        return "from 2000 to 2099" if limits.minimum is not None else ""
    if limits.max_length is not None:
        return f"{limits.min_length} to {limits.max_length} characters"
    if limits.minimum is not None and limits.maximum is not None:
        return f"{limits.minimum:g} to {limits.maximum:g}"
    return f"at least {limits.minimum:g}" if limits.minimum is not None else ""


def _tables() -> Iterator[str]:
    yield from (
        "",
        "## Tables",
        "",
        "A row has the fields of its record, followed by:",
        "",
    )
    yield from _table(
        ("column", "type", "what it holds"),
        (
            (f"`{column.name}`", str(column.type), PROVENANCE_DOCS[column.name])
            for column in (*PROVENANCE, pa.field(EVENT_DATE, pa.date32()))
        ),
    )
    yield from (
        "",
        "`traces` has these as well. They describe a trace that was assembled from spans "
        "([otel.md](otel.md)), and are null for a trace that came as one record:",
        "",
    )
    yield from _table(
        ("column", "type", "what it holds"),
        (
            (f"`{column.name}`", _plain(column.type), ASSEMBLY_COLUMN_DOCS[column.name])
            for column in ASSEMBLY_COLUMNS
        ),
    )
    yield ""
    yield from _table(
        ("table", "record", "event time", "partitioned by"),
        (
            (
                f"`{table.name}`",
                f"[{table.record}](#{table.record})",
                f"`{table.event_time}`",
                ", ".join(f"`{column}`" for column in table.partition_by),
            )
            for table in TABLES.values()
        ),
    )


def _plain(kind: pa.DataType) -> str:
    return f"list of {kind.value_type}" if pa.types.is_list(kind) else str(kind)


def _reasons() -> Iterator[str]:
    yield from ("", "## Reasons for quarantine", "")
    yield from _table(
        ("reason", "meaning"), ((f"`{why}`", why.meaning) for why in QuarantineReason)
    )
    yield ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


_TYPE_WORDS: Final[Mapping[FieldType, str]] = {
    FieldType.STRING: "text",
    FieldType.LONG: "whole number",
    FieldType.DOUBLE: "number",
    FieldType.BYTES: "bytes",
    FieldType.TIMESTAMP: "time",
    FieldType.ENUM: "one of",
    FieldType.MAP: "map of text",
    FieldType.RECORDS: "list",
}

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_contract_page(), encoding="utf-8")
