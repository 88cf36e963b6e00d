"""Reads and verifies the receipts of erasures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch.erase import receipt
from batch.erase.tombstone_store import TombstoneStore
from goldpan import jobs
from goldpan.settings import Settings
from lake.location import LakeLocation
from lake.tombstones import open_tombstones
from redact.crypto.keys import load_all_keys
from redact.crypto.signing import public_keys
from schemas.errors import UsageError


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """The receipt of an erasure. ``signed_by`` is None if the signature is invalid."""

    number: int
    content: dict[str, Any]
    signed_by: str | None


def read_receipts(settings: Settings) -> list[SignedReceipt]:
    """Return the receipts of a lake, ordered by number."""
    store = _tombstone_store(settings)
    receipts = []
    for number in store.list_receipts():
        data = store.find_receipt(number)
        if data is not None:
            content, signed_by = receipt.read_receipt(data, f"the receipt {number}")
            receipts.append(SignedReceipt(number, content, signed_by))
    return receipts


def list_unfinished(settings: Settings) -> list[int]:
    """Return the numbers of tombstones without a receipt: erasures to be finished."""
    finished = {
        number for signed in read_receipts(settings) for number in signed.content["erasures"]
    }
    tombstones = _tombstone_store(settings).all()
    return [tombstone.number for tombstone in tombstones if tombstone.number not in finished]


def verify_receipt(
    settings: Settings, path: Path, key: str | None
) -> tuple[dict[str, Any], str | None, bool | None]:
    """Read a receipt; return its content, the key that signed it, and whether that is expected.

    Expected is the public ``key``, if given; else any of the lake's keys, and None if no redaction
    key is set. Raises UsageError if the file cannot be read or is not a receipt.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    content, signed_by = receipt.read_receipt(data, str(path))
    if key is not None:
        return content, signed_by, signed_by == key
    ours = public_keys(keys.receipt for keys in load_all_keys(settings.redact))
    return content, signed_by, signed_by in ours if ours else None


def _tombstone_store(settings: Settings) -> TombstoneStore:
    location = LakeLocation(settings.lake.uri, settings.lake.s3_endpoint_url)
    return TombstoneStore(open_tombstones(location), jobs.job_context().retry)
