"""The ends of the audit's hash chains, as recorded by the commits that added the rows.

The rows of a flush are one chain: each holds the hash of the row before it, and the first row a
hash of where its flush begins (`redact.pipeline.audit`). The chain alone cannot show that its end
was cut off, so the commit records the last hash. The head of the log protects the commit
(`lake.head`).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from lake.delta_log import unreadable_metadata_error
from lake.parquet import PARTITION_COLUMN
from lake.table_log import AUDIT_CHAINS_KEY
from schemas.redacted import Redacted


@dataclass(frozen=True, slots=True)
class AuditChain:
    """The hash before the first row, the hash of the last row, and the days (ISO) of both rows."""

    before: str
    last: str
    first_day: str
    last_day: str


def audit_chains_of(batches: Sequence[Redacted[pa.RecordBatch]]) -> list[AuditChain]:
    """Return the chain of the rows of a flush, as a list of one; empty if there are no rows."""
    rows = [sealed.value for sealed in batches if sealed.value.num_rows]
    if not rows:
        return []
    first, last = rows[0], rows[-1]
    days = (first.column(PARTITION_COLUMN)[0], last.column(PARTITION_COLUMN)[-1])
    ends = (first.column("previous")[0], last.column("chain")[-1])
    return [AuditChain(*(link.as_py() for link in ends), *(str(day.as_py()) for day in days))]


def audit_chain_metadata(chains: Iterable[AuditChain]) -> dict[str, str]:
    """Return the metadata of a commit with chains; empty if it has none."""
    body = [[chain.before, chain.last, chain.first_day, chain.last_day] for chain in chains]
    return {AUDIT_CHAINS_KEY: json.dumps(body, separators=(",", ":"))} if body else {}


def read_audit_chains(recorded: Iterable[tuple[int, str]], *, table: str) -> list[AuditChain]:
    """Return the chains that commits recorded, given as (version, text).

    Raises DamagedLogError if one cannot be read.
    """
    chains: list[AuditChain] = []
    for version, text in recorded:
        try:
            chains += [AuditChain(*map(str, ends)) for ends in json.loads(text)]
        except (ValueError, TypeError):
            raise unreadable_metadata_error(table, version, "the record of its chains") from None
    return chains
