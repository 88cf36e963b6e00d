"""What each column of a table holds, with its class of personal data: for people who query it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.arrow import EVENT_DATE, TableSchema
from schemas.assembly_columns import ASSEMBLY_COLUMN_DOCS
from schemas.contract import CONTRACTS, Pii

PROVENANCE_DOCS: Final[Mapping[str, str]] = {
    "_topic": "The topic that the record was read from.",
    "_partition": "Its partition.",
    "_offset": "Its offset.",
    "_ingested_at": "When the worker read it (UTC).",
    "_schema": "Fingerprint of the schema it was written with. For JSON, that of the contract, "
    "with `+openai-chat` for that shape. Null in quarantine if no schema was found.",
    "_policy": "Hash of the redaction policy that was applied.",
    "_index": "Place of the item within its record, from 0. Null where a record is one item, which "
    "counts as 0.",
    EVENT_DATE: "UTC day of the event time. In quarantine, that of the Kafka record's timestamp, "
    "or of ingestion if it has none.",
}
"""What the columns hold that every table has beside its record."""


@dataclass(frozen=True, slots=True)
class DescribedColumn:
    """A column, what it holds, and the class of personal data of its content."""

    name: str
    doc: str
    pii: Pii

    @property
    def comment(self) -> str:
        """Return both as one text, for a database that keeps one for each column."""
        return f"{self.doc} Class of personal data: {self.pii}."


def describe_columns(table: TableSchema) -> list[DescribedColumn]:
    """Return the columns of a table, in its order."""
    fields = {field.name: field for field in CONTRACTS[table.record].fields}
    own = {**PROVENANCE_DOCS, **ASSEMBLY_COLUMN_DOCS}
    return [
        DescribedColumn(name, fields[name].doc, fields[name].pii)
        if name in fields
        else DescribedColumn(name, own[name], Pii.KEEP)
        for name in table.arrow.names
    ]
