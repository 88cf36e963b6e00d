"""Rows made from redacted rows carry no text that has not been through redaction."""

from typing import Any

import pyarrow as pa
import pytest

from redact.pipeline.derived_rows import box_derived_rows
from schemas.arrow import TABLES
from schemas.errors import FatalError


def _labels(*answers: str | None) -> pa.RecordBatch:
    row: dict[str, Any] = dict.fromkeys(TABLES["labels"].arrow.names)
    schema = pa.schema([pa.field(f.name, f.type) for f in TABLES["labels"].arrow])
    return pa.RecordBatch.from_pylist(
        [{**row, "expected_response": answer} for answer in answers], schema=schema
    )


def test_known_texts_are_boxed() -> None:
    """The text of a redacted row may be stored again, any number of times."""
    rows = _labels("Like <PERSON:abc>.", None, "Like <PERSON:abc>.")
    boxed = box_derived_rows(
        rows, "label_event", redacted_texts={"Like <PERSON:abc>.", "other"}, policy="p"
    )
    assert boxed.value is rows
    assert boxed.policy == "p"
    assert (
        box_derived_rows(_labels(None), "label_event", redacted_texts=[], policy="p").value.num_rows
        == 1
    )


def test_a_text_from_elsewhere_is_refused_without_being_shown() -> None:
    """One more letter is enough, and the message does not contain it."""
    with pytest.raises(FatalError) as refusal:
        box_derived_rows(_labels("Like Ann."), "label_event", redacted_texts={"Like"}, policy="p")
    assert "expected_response" in str(refusal.value)
    assert "Ann" not in str(refusal.value)


def test_maps_and_lists_of_texts_are_not_derived() -> None:
    """A contract with a redacted map could hide a text in it, so it is refused as a whole."""
    with pytest.raises(FatalError, match="messages"):
        box_derived_rows(_labels(None), "trace", redacted_texts=[], policy="p")
