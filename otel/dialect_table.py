"""Writes the tables of the dialects as Markdown: which field comes from where."""

from collections.abc import Iterator
from typing import Final

from otel.application_names import APPLICATION_FIELDS
from otel.dialect import FIELD_NAMES, Dialect, FieldName
from otel.dialects import DIALECTS
from otel.sources import Source

NOT_EXPORTED: Final = "not exported"


def render_dialect_tables() -> str:
    """Return a section per dialect, and one for the names that applications set themselves."""
    lines: list[str] = []
    for dialect in DIALECTS:
        lines += _section(dialect)
    lines += ["### Attributes of the application, in every dialect", ""]
    lines += _table((name, APPLICATION_FIELDS[name]) for name in FIELD_NAMES
                    if name in APPLICATION_FIELDS)  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def _section(dialect: Dialect) -> Iterator[str]:
    yield f"### {dialect.title}: `{dialect.name}`"
    yield ""
    marks = [f"scope `{scope}…`" for scope in dialect.scopes]
    marks += [f"attribute or event `{mark}…`" for mark in dialect.marks]
    yield f"Recognised by: {', '.join(marks)}."
    yield ""
    yield from _table((name, dialect.fields.get(name, ())) for name in FIELD_NAMES)


def _table(rows: Iterator[tuple[FieldName, tuple[Source, ...]]]) -> Iterator[str]:
    yield "| field | places, the first that has a value counts |"
    yield "|---|---|"
    for name, sources in rows:
        places = "; ".join(f"`{source.label}`" for source in sources)
        yield f"| `{name}` | {places or NOT_EXPORTED} |"
    yield ""
