"""How far retention has come in a table: the day from which its rows, or their values, are whole.

`batch.retention` writes it into the table's own log before it takes anything away, so whoever reads
rows of an earlier day knows that something of them may be gone. It never goes back.
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
"""What may expire: whole rows, free text, what stands for a person, sealed payloads."""


class TxnVersions(Protocol):
    """What keeps numbers under application ids: a table, at the version that it stands at."""

    def txn_version(self, app: str) -> int | None:
        """Return the number under an application id."""


def complete_from(table: TxnVersions, *parts: str) -> date | None:
    """Return the first day of which all these parts are whole, None if none has ever expired.

    Raises RetryableError if the lake does not answer.
    """
    found = [n for part in parts if (n := table.txn_version(retention_app(part))) is not None]
    return from_day_number(max(found)) if found else None
