"""The keys of the tables and the references between them, as a diagram and a table.

Nothing enforces these keys. They say what a join may rest on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from schemas.arrow import TABLES


@dataclass(frozen=True, slots=True)
class TableReference:
    """A reference from one table to another: ``column`` of ``table`` names a row of ``target``.

    ``cardinality`` is mermaid's, read from ``target`` to ``table``.
    """

    table: str
    column: str
    target: str
    target_column: str
    cardinality: str


COORDINATES: Final = "_topic, _partition, _offset"
ITEM_COORDINATES: Final = "_topic, _partition, _offset, _index"

TABLE_KEYS: Final[Mapping[str, tuple[str, str]]] = {
    "traces": (
        COORDINATES,
        "`trace_id` names the call. It may have several rows: see [the trace in force]"
        "(query.md#before-you-query).",
    ),
    "feedback": (
        COORDINATES,
        "`feedback_id` names the event; of several with one id, the last counts.",
    ),
    "labels": (
        "label_event_id",
        "A trace has several events: the one with the highest `revision` is in force. Two rows "
        "with one id are one event. The coordinates are those of the record that triggered it.",
    ),
    "quarantine": (
        ITEM_COORDINATES,
        "The coordinates of a record, or of an item of a record, that is in no other table.",
    ),
    "redactions": (
        ITEM_COORDINATES,
        "The coordinates of the trace, feedback or span that was redacted.",
    ),
    "reviews": (
        COORDINATES,
        "There is one `review_id` for each trace and reviewer; the reviewer's last review counts.",
    ),
    "judgements": (
        COORDINATES,
        "Rows with one `judgement_id` are a claim and the attempts at one judgement: the last "
        "final one is in force ([judges.md](judges.md#the-table-judgements)).",
    ),
    "answer_reviews": (
        COORDINATES,
        "Rows with one `answer_id` are about one answer of a candidate: asked for, claimed and "
        "reviewed ([reviews.md](reviews.md#answers-of-a-candidate)). They say nothing of the "
        "trace's own answer.",
    ),
    "otel_spans": (
        ITEM_COORDINATES,
        "A span that was sent twice is two rows: of those with one `trace_id` and `span_id`, "
        "readers take one.",
    ),
}
"""What identifies a row of each table, and what to know about it."""

TABLE_REFERENCES: Final = (
    TableReference("feedback", "trace_id", "traces", "trace_id", "||--o{"),
    TableReference("labels", "trace_id", "traces", "trace_id", "||--o{"),
    TableReference("reviews", "trace_id", "traces", "trace_id", "||--o{"),
    TableReference("judgements", "trace_id", "traces", "trace_id", "||--o{"),
    TableReference("answer_reviews", "trace_id", "traces", "trace_id", "||--o{"),
    TableReference("labels", "evidence[].feedback_id", "feedback", "feedback_id", "}o--o{"),
    TableReference("reviews", "label_event_id", "labels", "label_event_id", "|o--o{"),
    TableReference("redactions", COORDINATES, "traces", COORDINATES, "||--o|"),
    TableReference("redactions", COORDINATES, "feedback", COORDINATES, "||--o|"),
    TableReference("redactions", ITEM_COORDINATES, "otel_spans", ITEM_COORDINATES, "||--o|"),
)


def render_table_keys() -> Iterator[str]:
    """Yield the lines of the section: a diagram, then the same in a table."""
    yield from (
        "",
        "## Keys",
        "",
        "How the tables refer to one another. Nothing enforces these keys: a label or feedback may "
        "arrive before its trace, or without one. The diagram and the table say the same.",
        "",
        "```mermaid",
        "erDiagram",
        *_relations(),
        *_entities(),
        "```",
        "",
        "| table | a row is identified by | refers to | to know |",
        "|---|---|---|---|",
    )
    for table, (key, note) in TABLE_KEYS.items():
        refers = "; ".join(
            f"`{r.column}` to `{r.target}`" for r in TABLE_REFERENCES if r.table == table
        )
        yield f"| `{table}` | `{key}` | {refers or 'nothing'} | {note} |"


def _relations() -> Iterator[str]:
    for r in TABLE_REFERENCES:
        yield f'    {r.target} {r.cardinality} {r.table} : "{r.column}"'


def _entities() -> Iterator[str]:
    for table in TABLE_KEYS:
        yield f"    {table} {{"
        for column in _key_columns(table):
            yield f"        {_mermaid_type(table, column)} {column}"
        yield "    }"


def _key_columns(table: str) -> list[str]:
    own = TABLE_KEYS[table][0].split(", ")
    there = [r.target_column for r in TABLE_REFERENCES if r.target == table]
    from_here = [r.column for r in TABLE_REFERENCES if r.table == table]
    names = [name for text in [*there, *from_here] for name in text.split(", ") if "[" not in name]
    return list(dict.fromkeys([*own, *names]))


def _mermaid_type(table: str, column: str) -> str:
    return str(TABLES[table].arrow.field(column).type).partition("[")[0]
