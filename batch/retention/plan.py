"""The plan of retention: how many days each table keeps its rows, and the values in them.

A YAML file. A table that is not named, and a part that is not, is kept for ever.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from lake.retention_horizon import RETENTION_PARTS, ROWS_PART
from schemas.arrow import PRIMARY_TABLES
from schemas.errors import UsageError
from schemas.text_files import read_text_file
from schemas.yaml_documents import DocumentPart, read_yaml_mapping, validate_document

TableName = Literal["traces", "feedback", "labels", "quarantine", "redactions", "reviews"]
Days = Annotated[int, Field(ge=1, le=36_500)]


class RetentionRule(DocumentPart):
    """For how many days after its own a day is kept: its rows, or some of the values in them."""

    rows: Days | None = None
    text: Days | None = None
    pseudonyms: Days | None = None
    sealed: Days | None = None

    def days(self, part: str) -> int | None:
        """Return for how many days a part is kept, None for ever."""
        found: int | None = getattr(self, part)
        return found

    def until(self, today: date) -> dict[str, date]:
        """Return the first day (UTC) that is kept of each part that expires at all."""
        given = {part: self.days(part) for part in RETENTION_PARTS}
        return {p: today - timedelta(days=days) for p, days in given.items() if days is not None}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for part in RETENTION_PARTS:
            days = self.days(part)
            if part != ROWS_PART and days and self.rows and days > self.rows:
                raise ValueError(f"{part}: is kept for longer than the rows it stands in")
        return self


class RetentionPlan(DocumentPart):
    """A plan, complete and checked."""

    tables: dict[TableName, RetentionRule] = Field(min_length=1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name, rule in self.tables.items():
            given = [part for part in RETENTION_PARTS if rule.days(part) is not None]
            if not given:
                raise ValueError(f"tables.{name}: says nothing: give days for {_allowed(name)}")
            for part in given:
                if part not in MAY_EXPIRE[name]:
                    raise ValueError(
                        f"tables.{name}.{part}: cannot expire alone; this table takes "
                        f"{_allowed(name)}"
                    )
        return self

    def check_window(self, days: float) -> None:
        """Raise UsageError if workers might find less than the window of their join, in days."""
        for name in PRIMARY_TABLES:  # workers rebuild their join from these
            rule = self.tables.get(name)
            for part in RETENTION_PARTS if rule else ():
                kept = rule.days(part) if rule else None
                if kept is not None and kept < days:
                    raise UsageError(
                        f"The plan keeps {part} of {name} for {kept} days, but labels are decided "
                        f"from the last {days:g}: keep them as long, or shorten the window of the "
                        "label policy."
                    )


MAY_EXPIRE: Final = {
    "traces": ("rows", "text", "pseudonyms"),
    "feedback": ("rows", "text", "pseudonyms"),
    "labels": ("rows", "text"),
    "quarantine": ("rows", "sealed"),
    "redactions": ("rows",),
    "reviews": ("rows", "text"),
}
"""What may expire of each table. A review without its reviewer could not be counted any more."""


def _allowed(name: str) -> str:
    return ", ".join(MAY_EXPIRE[name])


def read_retention_plan(path: Path) -> RetentionPlan:
    """Read a plan from a file; UsageError with the line and the reason."""
    return parse_retention_plan(read_text_file(path, f"The plan {path}"), str(path))


def parse_retention_plan(text: str, name: str) -> RetentionPlan:
    """Parse a plan; ``name`` stands for it in messages. UsageError with the line and the reason."""
    tree, document = read_yaml_mapping(text, name)
    return validate_document(RetentionPlan, document, tree, name)
