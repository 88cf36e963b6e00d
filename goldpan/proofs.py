"""What a deep proof of a lake needs beside the lake: how the audit is hashed, and the receipts."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from batch.erase import receipt
from batch.erase.rows import records_of
from goldpan import wiring
from lake.audit_proofs import AuditRules
from lake.copies import FOLDER, RECEIPT_ENDS
from lake.erasures import open_store
from lake.tables import Lake
from redact.audit import chained
from redact.keys import Keys
from redact.signing import public_keys
from schemas.arrow import AUDIT
from schemas.errors import UsageError


def audit_rules(lake: Lake, keys: Sequence[Keys]) -> AuditRules:
    """Return how the audit is walked; the receipts that count are those that hold.

    Where redaction keys are known, one of them must have signed a receipt. Reading them raises
    FatalError if the store does not answer.
    """
    ours = public_keys(one.receipt for one in keys)
    return AuditRules(chained, lambda: records_of(_receipts(lake, ours), AUDIT))


def _receipts(lake: Lake, ours: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the receipts of a lake that are signed, by one of ours if there are any."""
    store, retry = open_store(lake.location), wiring.retry()
    listed = retry.call("listing receipts", lambda: sorted(path for path, _ in store.walk("")))
    for path in (path for path in listed if path.endswith(RECEIPT_ENDS)):
        data = retry.call(f"reading {FOLDER}/{path}", partial(store.get, path))
        try:
            said, signed_by = receipt.read(data, f"{FOLDER}/{path}")
        except UsageError:
            continue
        if signed_by is not None and (not ours or signed_by in ours):
            yield said
