"""The result of a reader for bytes that are not a valid record."""

from typing import NamedTuple

from schemas.reasons import QuarantineReason


class Refusal(NamedTuple):
    """Why a value was refused; becomes a ``Rejected`` once its coordinates are known.

    ``detail`` is a sentence without any content of the record. ``field`` is the path of a field of
    the contract, and ``schema_id`` the fingerprint of the writer's schema, where known.
    """

    reason: QuarantineReason
    detail: str
    field: str | None = None
    schema_id: str | None = None
