"""The JSON Schema of a record says yes exactly where the worker's decoder does."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from decode.decoder import Decoder
from decode.schema_sources import FolderSource
from schemas.contract import CONTRACTS
from schemas.json_schema import json_schema
from schemas.record_batches import SENT_KINDS, RawRecord, RecordKind
from tests.make.strategies import records

KINDS = list(SENT_KINDS)
VALIDATORS = {kind: jsonschema.Draft202012Validator(json_schema(CONTRACTS[kind])) for kind in KINDS}
ODD: list[Any] = [None, True, 0, -1, 1.5, 2**63, "", "x", "2026-11-01T00:00:00Z", "y" * 513, [], {}]


DECODERS = {kind: Decoder(kind, FolderSource(), max_record_bytes=2**20) for kind in KINDS}

OPENAI_FORMS: tuple[tuple[str, Any], ...] = (("tool_calls", None), ("content", []))
"""What messages of OpenAI may hold: the decoder maps it to the contract, the schema lacks it."""


def decoded(kind: RecordKind, record: Any) -> bool:
    """Whether the worker would take a record."""
    rows, _ = DECODERS[kind].decode("", [RawRecord(0, 0, -1, None, json.dumps(record).encode())])
    return len(rows) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_schema(kind: RecordKind) -> None:
    """It follows its own dialect."""
    jsonschema.Draft202012Validator.check_schema(json_schema(CONTRACTS[kind]))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data())
def test_a_valid_record_is_valid(kind: RecordKind, data: st.DataObject) -> None:
    """Whatever the contract allows, the schema does."""
    record = data.draw(records(kind))
    VALIDATORS[kind].validate(record)
    assert decoded(kind, record)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data())
def test_a_changed_record_is_judged_alike(kind: RecordKind, data: st.DataObject) -> None:
    """With a field taken away, added, or given an odd value, both say the same."""
    record = data.draw(records(kind))
    names = [*CONTRACTS[kind].avro["fields"], {"name": "unheard_of"}]
    name = data.draw(st.sampled_from([field["name"] for field in names]))
    if data.draw(st.booleans()):
        record.pop(name, None)
    else:
        record[name] = data.draw(st.sampled_from(ODD))
    assert VALIDATORS[kind].is_valid(record) == decoded(kind, record), name


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data())
def test_a_changed_part_is_judged_alike(kind: RecordKind, data: st.DataObject) -> None:
    """The same one level deeper: in the items of lists and the values of maps."""
    record = data.draw(records(kind))
    holders = [
        holder
        for value in record.values()
        for holder in (value if isinstance(value, list) else [value])
        if isinstance(holder, dict) and holder
    ]
    if holders:
        holder = data.draw(st.sampled_from(holders))
        name, value = data.draw(st.sampled_from(sorted(holder))), data.draw(st.sampled_from(ODD))
        assume((name, value) not in OPENAI_FORMS)
        holder[name] = value
    assert VALIDATORS[kind].is_valid(record) == decoded(kind, record)
