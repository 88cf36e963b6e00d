"""What the worker relies on: each field by its class, and nothing passes when redaction fails."""

import json
import pickle
from typing import Any

import pytest

from redact.pipeline.factory import build_redactor
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import load_policy
from schemas.arrow import TABLES
from schemas.record_batches import RecordKind
from schemas.records import Trace
from tests.make.records import feedback, person, trace
from tests.redact.kit import (
    KEYS,
    NOW,
    content,
    decoded,
    minimal,
    needs_pure_python,
    redacted,
    redactor,
    rows,
    said,
)


def test_rows_have_the_columns_of_their_table_and_no_personal_data() -> None:
    """Traces and feedback of known persons come out without what is known of them."""
    for kind, make, table in (
        (RecordKind.TRACE, trace, "traces"),
        (RecordKind.FEEDBACK, feedback, "feedback"),
    ):
        records = [make(i) for i in range(5)]
        outcome = redacted(records, kind)
        assert outcome.rejected == []
        assert outcome.rows.value.schema == TABLES[table].arrow
        text = json.dumps(rows(outcome), default=str)
        for i in range(5):
            for value in person(i):
                assert value not in text


def test_identifiers_become_keyed_pseudonyms_that_agree_with_the_text() -> None:
    """The same user has the same token in the field and in what is said."""
    record = said("My user id is ann_lee_4411.") | {"user_id": "ann_lee_4411"}
    row = rows(redacted([record]))[0]
    key_id, token = row["user_id"].split(":")
    assert key_id == "k1"
    assert row["messages"][0]["content"] == f"My user id is <USER_ID:{token}>."


def test_maps_are_redacted_in_keys_and_values_and_segments_by_the_list() -> None:
    """Attributes lose personal keys and values; a segment off the list is hashed."""
    record = minimal(
        attributes={"contact": "bob@example.com", "eve@example.com": "x", "build": "7"},
        segments={"plan": "gold", "nickname": "Bobby"},
    )
    row = rows(redacted([record]))[0]
    attributes = dict(row["attributes"])
    assert attributes["build"] == "7"
    assert attributes["contact"].startswith("<EMAIL_ADDRESS:")
    assert [key[:15] for key in attributes if key not in ("build", "contact")] == [
        "<EMAIL_ADDRESS:"
    ]
    segments = dict(row["segments"])
    assert segments["plan"] == "gold"
    assert segments["nickname"].startswith("k1:")


def test_second_pass_changes_nothing() -> None:
    """Placeholders survive being redacted again."""
    text = "Mail ann@example.com or call 212-555-0187, card 4111 1111 1111 1111."
    once = content(redacted([said(text)]))
    assert content(redacted([said(once)])) == once
    assert once.count("<") == 3


def test_look_alike_placeholders_are_text() -> None:
    """A placeholder written by hand cannot hide a value."""
    assert "bob@example.com" not in content(redacted([said("<PERSON: bob@example.com>")]))


def test_failure_rejects_the_record_and_says_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An exception in the middle of a record is a row of quarantine, without its text."""
    needs_pure_python()
    engine = build_redactor(load_policy("strict"), KEYS)
    assert isinstance(engine, PolicyRedactor)

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("ann@example.com")

    monkeypatch.setattr(engine.segmenter.analyser, "analyse", fail)
    records = [said("Mail ann@example.com"), minimal()]
    outcome = engine.redact(decoded(records), ingested_at=NOW)
    assert [r.reason for r in outcome.rejected] == ["redaction_failed"]
    assert "ann" not in repr(outcome.rejected)
    assert outcome.rows.value.num_rows == 1
    assert outcome.rows.value.column("_offset").to_pylist() == [1]


def test_off_lets_everything_through_and_says_so() -> None:
    """The policy `off` changes nothing and marks each row with it."""
    outcome = redacted([said("Mail ann@example.com")], policy="off")
    assert content(outcome) == "Mail ann@example.com"
    assert rows(outcome)[0]["_policy"] == outcome.rows.policy == "off"


def test_redactor_pickles_for_spawned_processes() -> None:
    """A copy made through pickle redacts to the same tokens."""
    copy = pickle.loads(pickle.dumps(redactor()))  # noqa: S301  # made a line above
    record = said("Mail ann@example.com")
    again = copy.redact(decoded([record]), ingested_at=NOW)
    assert again.rows.value.equals(redacted([record]).rows.value)


def test_walk_covers_every_text_of_the_contract() -> None:
    """A value planted in each text field of a trace is gone from the row, whatever the field."""
    secret = "ann.lee@example.com"
    call = {"id": "c", "name": "f", "arguments": json.dumps({"to": secret})}
    record = minimal(
        user_id=secret,
        error_message=f"no mailbox {secret}",
        response=f"Sent to {secret}",
        messages=[{"role": "tool", "content": secret, "name": secret, "tool_calls": [call]}],
        retrieved=[{"document_id": "d", "text": f"From: {secret}"}],
        tool_calls=[call | {"result": secret, "error": secret}],
        attributes={secret: secret},
        segments={"who": secret},
    )
    assert set(record) - set(Trace.__struct_fields__) == set()
    outcome = redacted([record])
    assert outcome.rejected == []
    assert secret not in json.dumps(rows(outcome), default=str)
