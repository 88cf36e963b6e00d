"""Writes the page ``docs/contract.md``: ``python -m schemas.contract_docs docs/contract.md``."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa

from schemas.arrow import EVENT_DATE, PROVENANCE, TABLES
from schemas.contract import CONTRACTS, Contract, ContractField, FieldType, Pii
from schemas.reasons import QuarantineReason
from schemas.topics import TOPICS


def render_contract_page() -> str:
    """Return the page as Markdown."""
    return "\n".join([*_head(), *_topics(), *_contracts(), *_tables(), *_reasons()])


def _head() -> Iterator[str]:
    yield from (
        "# The contract",
        "",
        "Written by `python -m schemas.contract_docs docs/contract.md` from `schemas/avro/*.avsc`; "
        "a test holds it equal to them.",
        "",
        "A record may come as Avro with Confluent framing, as single-object Avro, or as JSON "
        "(UTF-8) with the same field names. JSON gives times as RFC 3339 with a zone, or as whole "
        "microseconds since 1970 (UTC). A field that is not listed here, and a field without its "
        "class of personal data, is refused: nothing is stored that nobody has classified. A "
        "second that was put in (`2016-12-31T23:59:60Z`) is the one after it, and half a surrogate "
        "pair, as a stream that was cut leaves it, is U+FFFD.",
        "",
        "Schemas evolve BACKWARD_TRANSITIVE: what any released version allowed stays valid. "
        "Fields are added with a default; none is removed or renamed.",
        "",
        "Producers can ask before they send: `goldpan contract check --record trace samples.jsonl` "
        "names the lines that would be set aside, with the names of unknown fields, and takes an "
        "Avro schema (`.avsc`) as well; "
        "`goldpan contract export --format json-schema --out contract/` writes what follows as "
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
    "Traces as JSON may have the shape of OpenAI's chat completions, at the top or as `request` "
    "and `response`; `app`, and whatever else of the contract is known, stands beside them and "
    "wins. `_schema` then ends in `+openai-chat`. Redaction is applied as always.",
    "",
    *(
        f"- {line}"
        for line in (
            "`messages[].content` as a list of parts: texts are joined by line feeds; with "
            "pictures, sounds or files it is JSON. What of these stands there as data is left "
            "out, since it cannot be redacted; an address (`https://…`) stays, as text.",
            "`messages[].tool_calls[].function` (and `function_call`): `name` and `arguments` of "
            "the call. A `refusal` is what was said where there is no content.",
            "`choices[0].message`, or a `response` that is a message: `response` and `tool_calls`; "
            "`finish_reason`. Further choices are left out.",
            "`id`: `request_id`, and `trace_id` if there is none; `created`: `started_at` if there "
            "is none; `usage`: `input_tokens`, `output_tokens`; `model` of the answer: "
            "`model_version`, of the request: `model_requested`; `user` or `safety_identifier`: "
            "`user_id`; `error`: `error_type`, `error_message` and `status`. Without a `trace_id` "
            "the key of the Kafka record is the `id`, for feedback too.",
            "`metadata`: `attributes`; settings such as `temperature`: `attributes` named "
            "`openai.temperature`. Definitions of tools, log probabilities, fingerprints, other "
            "figures of `usage`, verdicts of content filters and the reasoning before an answer "
            "(`reasoning_content`) are left out. Any other name is refused, as everywhere.",
            "Not taken: parts of a stream (send the answer as a whole), lines of batch files (send "
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
        "A row has the fields of its record, then:",
        "",
    )
    yield from _table(
        ("column", "type", "what it holds"),
        (
            (f"`{column.name}`", str(column.type), _COLUMN_DOCS[column.name])
            for column in (*PROVENANCE, pa.field(EVENT_DATE, pa.date32()))
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

_COLUMN_DOCS: Final[Mapping[str, str]] = {
    "_topic": "The topic that the record was read from.",
    "_partition": "Its partition.",
    "_offset": "Its offset.",
    "_ingested_at": "When the worker took it in (UTC).",
    "_schema": "Fingerprint of the schema it was written with; of the contract for JSON, with "
    "`+openai-chat` for that shape; null in quarantine where none was found.",
    "_policy": "Hash of the redaction policy that was applied.",
    EVENT_DATE: "UTC day of the event time. In quarantine: of the timestamp of the Kafka record, "
    "or of ingestion where it has none.",
}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_contract_page(), encoding="utf-8")
