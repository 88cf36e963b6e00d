"""What a reader answers about bytes that are no valid record."""

from typing import NamedTuple

from schemas.reasons import QuarantineReason


class Refusal(NamedTuple):
    """Why a value was refused: what becomes a ``Rejected`` once its coordinates are known.

    ``detail`` is a sentence that holds nothing of the record, ``field`` the path of a field of the
    contract, ``schema_id`` the fingerprint of the schema it was written with, where that is known.
    """

    reason: QuarantineReason
    detail: str
    field: str | None = None
    schema_id: str | None = None
