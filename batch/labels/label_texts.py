"""The texts that feedback gives, noted as its rows go by: what label events may repeat."""

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_TEXT: Final = "corrected_response"


def collect_texts(
    batches: Iterator[pa.RecordBatch], texts: dict[str, str]
) -> Iterator[pa.RecordBatch]:
    """Yield rows of feedback as they are; add their texts, with the policy of each, to ``texts``.

    The rows need the columns ``corrected_response`` and ``_policy``, the hash of the redaction
    policy that they have been through.
    """
    for batch in batches:
        told = batch.filter(pc.is_valid(batch.column(_TEXT)))
        found = told.column(_TEXT).to_pylist()
        texts.update(zip(found, told.column("_policy").to_pylist(), strict=True))
        yield batch
