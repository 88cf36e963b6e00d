"""Loads the rules for checking the audit table: its hash chain, and the receipts that count."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from batch.erase import receipt
from batch.erase.receipt import coordinates_in_receipts
from goldpan import wiring
from lake.erasure_copies import ERASURES_FOLDER, RECEIPT_SUFFIX
from lake.tables import Lake
from lake.tombstones import open_tombstones
from lake.verify_audit import AuditRules
from redact.crypto.keys import Keys
from redact.crypto.signing import public_keys
from redact.pipeline.audit import chain_hash
from schemas.arrow import AUDIT_TABLE
from schemas.errors import UsageError


def load_audit_rules(lake: Lake, keys: Sequence[Keys]) -> AuditRules:
    """Return the rules for checking the audit; only receipts with a valid signature count.

    If redaction keys are given, one of them must have signed the receipt. Reading the receipts
    raises FatalError if the store is unreachable.
    """
    ours = public_keys(key.receipt for key in keys)
    return AuditRules(
        chain_hash, lambda: coordinates_in_receipts(_receipts(lake, ours), AUDIT_TABLE)
    )


def _receipts(lake: Lake, ours: set[str]) -> Iterator[dict[str, Any]]:
    """Yield the signed receipts of a lake; if ``ours`` is not empty, only those signed by it."""
    store, retry = open_tombstones(lake.location), wiring.make_retry()
    paths = retry.call("listing receipts", lambda: sorted(path for path, _ in store.walk("")))
    for path in (path for path in paths if path.endswith(RECEIPT_SUFFIX)):
        data = retry.call(f"reading {ERASURES_FOLDER}/{path}", partial(store.get, path))
        try:
            content, signed_by = receipt.read_receipt(data, f"{ERASURES_FOLDER}/{path}")
        except UsageError:
            continue
        if signed_by is not None and (not ours or signed_by in ours):
            yield content
