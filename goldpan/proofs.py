"""What a deep proof of a lake needs beside the lake: how the audit is hashed, and the receipts."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from batch.erase import receipt
from batch.erase.rows import places_of
from goldpan import wiring
from lake.audit_proofs import AuditRules
from lake.copies import FOLDER
from lake.erasures import open_store
from lake.tables import Lake
from redact.audit import chained
from redact.keys import Keys
from redact.signing import Signer
from schemas.arrow import AUDIT
from schemas.errors import UsageError

_RECEIPT: Final = ".receipt.json"


def audit_rules(lake: Lake, keys: Sequence[Keys]) -> AuditRules:
    """Return how the audit is walked; the receipts that count are those that hold.

    Where redaction keys are known, one of them must have signed a receipt. Reading them raises
    FatalError if the store does not answer.
    """
    ours = {Signer(one.receipt).public for one in keys}
    return AuditRules(chained, lambda: places_of(_places(lake, ours)))


def _places(lake: Lake, ours: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the places of the audit that receipts speak of."""
    store, retry = open_store(lake.location), wiring.retry()
    listed = retry.call("listing receipts", lambda: sorted(path for path, _ in store.walk("")))
    for path in (path for path in listed if path.endswith(_RECEIPT)):
        data = retry.call(f"reading {FOLDER}/{path}", partial(store.get, path))
        try:
            said, signed_by = receipt.read(data, f"{FOLDER}/{path}")
        except UsageError:
            continue
        if signed_by is None or (ours and signed_by not in ours):
            continue
        for table, taken in said["tables"].items():
            if table.rpartition("/")[2] == AUDIT:
                for source, spans in taken["records"].items():
                    yield {"places": {source: ",".join(spans)}}
