"""Boxes rows derived from redacted rows, after checking that each text is already redacted.

A label event repeats a correction that the lake already holds redacted. It is not redacted again,
but nothing else may slip in: each text of a class that redaction touches must equal, character by
character, a text that is already redacted.
"""

from collections.abc import Collection
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from schemas.contract import CONTRACTS, FieldType, Pii
from schemas.errors import FatalError
from schemas.redacted import Redacted

_UNTOUCHED: Final = frozenset({Pii.KEEP, Pii.DROP})


def box_derived_rows(
    rows: pa.RecordBatch, contract: str, *, redacted_texts: Collection[str], policy: str
) -> Redacted[pa.RecordBatch]:
    """Box rows of a contract whose texts come from rows that are already redacted.

    ``redacted_texts`` are texts of redacted rows, ``policy`` is the hash of the redaction policy.

    Raises:
        FatalError: a text is not among them, which is a bug; the message names the field.
    """
    touched = [field for field in CONTRACTS[contract].fields if field.pii not in _UNTOUCHED]
    for field in touched:
        if field.type is not FieldType.STRING:
            raise FatalError(f"rows of {contract} cannot be derived: `{field.name}` is not text")
    for field in touched:
        texts = rows.column(field.name).drop_null()
        same = pc.is_in(texts, value_set=pa.array(list(redacted_texts), pa.string()))
        if not pc.all(same, min_count=0).as_py():
            raise FatalError(
                f"`{field.name}` of a {contract} is not from a redacted row: nothing was written"
            )
    return Redacted(rows, policy)
