"""The retention horizon of a table: the day from which its rows, or some values, are complete.

`batch.retention` writes it into the table's own log before it removes anything. Code that reads
rows of an earlier day can therefore tell that something may be missing. The horizon never moves
back.
"""

from datetime import date
from typing import Final, Protocol

from lake.table_log import retention_app
from schemas.times import from_day_number

ROWS_PART: Final = "rows"
TEXT_PART: Final = "text"
PSEUDONYMS_PART: Final = "pseudonyms"
SEALED_PART: Final = "sealed"
RETENTION_PARTS: Final = (ROWS_PART, TEXT_PART, PSEUDONYMS_PART, SEALED_PART)
"""What may expire: whole rows, free text, pseudonyms, sealed payloads."""


class TxnVersions(Protocol):
    """A table, or a snapshot of one, that returns numbers by application id."""

    def txn_version(self, app: str) -> int | None:
        """Return the number under an application id."""


def complete_from(table: TxnVersions, *parts: str) -> date | None:
    """Return the first day from which all these parts are complete, None if nothing has expired.

    Raises RetryableError if the log cannot be read.
    """
    numbers = [n for part in parts if (n := table.txn_version(retention_app(part))) is not None]
    return from_day_number(max(numbers)) if numbers else None
