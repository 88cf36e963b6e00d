"""The receipt of an erasure: what was removed where, signed by the holder of the redaction key.

It is made of what the lake's own logs say, so it is the same whoever finishes an erasure that was
interrupted. It names nobody: persons stand in it as marks, records by their place in their topic.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from redact.crypto.signing import Signer, add_signature, signing_bytes, verify_signature
from schemas.errors import UsageError

RECEIPT_FORMAT: Final = 1
OUT_OF_REACH: Final = (
    "the topics in Kafka: records and label events stay there until the topic's retention removes "
    "them; they are kept out of the lake when they are read again",
    "what was exported or copied out of the lake or its releases",
    "backups, and snapshots of disks and buckets",
    "the logs and traces of other programs",
)


def build_receipt(  # noqa: PLR0913 - one argument a part of the receipt
    *,
    erasures: Sequence[int],
    until_us: int,
    made_at_us: int,
    subjects: Mapping[str, Sequence[str]],
    commits: Iterable[tuple[str, int, Mapping[str, Any]]],
    releases: Sequence[Mapping[str, Any]],
    not_looked_into: Mapping[str, int],
    reference: str | None = None,
    lost_keys: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a receipt says. ``commits`` are (table, version, what the commit says).

    ``lost_keys`` are redaction keys by id under which rows were written and nobody could look.
    """
    lost = {"redaction_keys": sorted(lost_keys)} if lost_keys else {}
    tables: dict[str, dict[str, Any]] = {}
    for table, version, said in commits:
        one = tables.setdefault(table, {"own": 0, "mentions": 0, "versions": [], "records": {}})
        one["own"] += said["own"]
        one["mentions"] += said["mentions"]
        one["versions"].append(version)
        for partition, offsets in said.get("places", {}).items():
            one["records"].setdefault(partition, []).append(offsets)
    return {
        "format": RECEIPT_FORMAT,
        "erasures": list(erasures),
        "until_us": until_us,
        "made_at_us": made_at_us,
        "subjects": {name: sorted(marks) for name, marks in sorted(subjects.items())},
        "tables": dict(sorted(tables.items())),
        "releases": list(releases),
        "not_looked_into": {**not_looked_into, **lost},
        "out_of_reach": list(OUT_OF_REACH),
        **({} if reference is None else {"reference": reference}),
    }


def sign_receipt(body: Mapping[str, Any], signer: Signer) -> bytes:
    """Return a receipt as it is kept: the same document and key give the same bytes."""
    return (json.dumps(add_signature(body, signer), indent=1, sort_keys=True) + "\n").encode()


def read_receipt(data: bytes, where: str) -> tuple[dict[str, Any], str | None]:
    """Return what a receipt says, and the public key whose holder signed it, None if nobody did.

    Raises UsageError, naming ``where``, if it is no receipt.
    """
    try:
        whole = json.loads(data)
        key, signature = str(whole.pop("signed_by")), str(whole.pop("signature"))
        if whole["format"] > RECEIPT_FORMAT:
            raise UsageError(f"{where} is a receipt of a newer goldpan: use that one")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UsageError(f"{where} is no receipt of an erasure") from None
    return whole, key if verify_signature(key, signing_bytes(whole), signature) else None
