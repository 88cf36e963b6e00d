"""The retention plan: how many days each table keeps its rows and the values in them.

A YAML file. Tables and parts that it does not name never expire.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from lake.retention_horizon import RETENTION_PARTS, ROWS_PART
from schemas.errors import UsageError
from schemas.text_files import read_text_file
from schemas.yaml_documents import DocumentPart, read_yaml_mapping, validate_document

TableName = Literal[
    "traces",
    "feedback",
    "labels",
    "quarantine",
    "redactions",
    "reviews",
    "judgements",
    "answer_reviews",
    "otel_spans",
]
_JOINED: Final[tuple[TableName, ...]] = ("traces", "feedback")
"""The tables that workers rebuild their join from."""
Days = Annotated[int, Field(ge=1, le=36_500)]


class RetentionRule(DocumentPart):
    """For how many days after its own a day is kept: its rows, or some of the values in them."""

    rows: Days | None = None
    text: Days | None = None
    pseudonyms: Days | None = None
    sealed: Days | None = None

    def days(self, part: str) -> int | None:
        """Return for how many days a part is kept, None if it never expires."""
        days: int | None = getattr(self, part)
        return days

    def until(self, today: date) -> dict[str, date]:
        """Return the first day (UTC) to keep of each part that expires."""
        parts = {part: self.days(part) for part in RETENTION_PARTS}
        return {p: today - timedelta(days=days) for p, days in parts.items() if days is not None}

    @model_validator(mode="after")
    def _check_days(self) -> Self:
        for part in RETENTION_PARTS:
            days = self.days(part)
            if part != ROWS_PART and days and self.rows and days > self.rows:
                raise ValueError(f"{part}: is kept for longer than the rows that hold it")
        return self


class RetentionPlan(DocumentPart):
    """A complete and validated plan."""

    tables: dict[TableName, RetentionRule] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        for name, rule in self.tables.items():
            parts = [part for part in RETENTION_PARTS if rule.days(part) is not None]
            if not parts:
                raise ValueError(
                    f"tables.{name}: sets no days: set them for {_allowed_parts(name)}"
                )
            for part in parts:
                if part not in MAY_EXPIRE[name]:
                    raise ValueError(
                        f"tables.{name}.{part}: cannot expire alone; this table takes "
                        f"{_allowed_parts(name)}"
                    )
        return self

    def check_window(self, days: float) -> None:
        """Raise UsageError if rows expire within the window of the workers' join, in days."""
        for name in _JOINED:
            rule = self.tables.get(name)
            for part in RETENTION_PARTS if rule else ():
                kept_days = rule.days(part) if rule else None
                if kept_days is not None and kept_days < days:
                    raise UsageError(
                        f"The plan keeps {part} of {name} for {kept_days} days, but labels are "
                        f"decided from the last {days:g}: keep them as long, or shorten the "
                        "window of the label policy."
                    )


MAY_EXPIRE: Final = {
    "traces": ("rows", "text", "pseudonyms"),
    "feedback": ("rows", "text", "pseudonyms"),
    "labels": ("rows", "text"),
    "quarantine": ("rows", "sealed"),
    "redactions": ("rows",),
    "reviews": ("rows", "text"),
    "judgements": ("rows", "text"),
    "answer_reviews": ("rows", "text"),
    "otel_spans": ("rows", "text", "pseudonyms"),
}
"""The parts of each table that may expire. Reviews keep the reviewer, for counts."""


def _allowed_parts(name: str) -> str:
    return ", ".join(MAY_EXPIRE[name])


def read_retention_plan(path: Path) -> RetentionPlan:
    """Read a plan from a file; UsageError with the line and the reason."""
    return parse_retention_plan(read_text_file(path, f"The plan {path}"), str(path))


def parse_retention_plan(text: str, name: str) -> RetentionPlan:
    """Parse a plan, called ``name`` in messages; UsageError with the line and the reason."""
    tree, document = read_yaml_mapping(text, name)
    return validate_document(RetentionPlan, document, tree, name)
