"""A person is recognised by marks that name nobody, under every key that is known."""

import base64
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from redact.crypto.keys import Keys, load_all_keys
from redact.crypto.pseudonyms import Pseudonyms
from redact.crypto.subjects import (
    DataSubject,
    feedback_mark,
    marks_of_feedback,
    marks_of_traces,
    trace_mark,
    user_mark,
)
from redact.policies.settings import RedactSettings
from schemas.errors import UsageError
from tests.redact.kit import KEYS, content, minimal, redacted, rows, said

OTHER = Keys.derive(b"o" * 32, "k0")
USER = "mia_li_3668"


def _encoded(letter: bytes) -> str:
    return base64.b64encode(letter * 32).decode()


def test_columns_hold_an_identifier_of_the_subject() -> None:
    """What redaction makes of a user id is among the subject's identifiers."""
    (row,) = rows(redacted([minimal(user_id=USER)]))

    assert row["user_id"] in DataSubject(USER, [OTHER, KEYS]).identifiers()


def test_text_holds_a_placeholder_of_the_subject() -> None:
    """The stand-in of a user id in a text is among the placeholders."""
    found = content(redacted([said(f"it is user_id {USER} again") | {"user_id": USER}]))

    assert any(form in found for form in DataSubject(USER, [KEYS]).placeholders())


@pytest.mark.parametrize("user", ["mia.li@mail.example.com", "+1 212 555 0187"])
def test_ids_that_are_addresses_are_found_in_text(user: str) -> None:
    """A user id that is an e-mail address or a telephone number is found as such in text."""
    found = content(redacted([said(f"write to {user} please")]))

    assert any(form in found for form in DataSubject(user, [KEYS]).placeholders())


def test_scopes_have_identifiers_of_their_own() -> None:
    """With an app as the scope, its pseudonym is among the identifiers."""
    inside = Pseudonyms(KEYS).identifier("USER_ID", USER, "shop")

    assert inside not in DataSubject(USER, [KEYS]).identifiers()
    assert inside in DataSubject(USER, [KEYS]).identifiers(["shop"])


@given(st.text(min_size=1, max_size=40), st.sampled_from(["", "shop"]))
def test_every_form_of_an_id_is_marked(user: str, scope: str) -> None:
    """The raw id, other spellings and its pseudonyms all have a mark in the tombstone."""
    marks = DataSubject(user, [OTHER, KEYS]).marks(["shop"])

    for keys in (OTHER, KEYS):
        pseudonym = Pseudonyms(KEYS).identifier("USER_ID", user, scope)
        for form in (user, f" {user}\n", pseudonym):
            assert user_mark(keys, form) in marks[keys.name]


def test_marks_depend_on_the_key_and_the_kind() -> None:
    """The same text as user, trace or feedback, or under another key, has another mark."""
    marks = {
        make(keys, "x") for make in (user_mark, trace_mark, feedback_mark) for keys in (KEYS, OTHER)
    }

    assert len(marks) == 6
    assert marks_of_traces([KEYS, OTHER], ["x"])[OTHER.name] == [trace_mark(OTHER, "x")]
    assert marks_of_feedback([KEYS], ["x"]) == {KEYS.name: [feedback_mark(KEYS, "x")]}


def test_marks_hold_nothing_of_the_id() -> None:
    """Neither marks nor the subject's representation hold the id or its pseudonyms."""
    subject = DataSubject(USER, [KEYS])
    told = f"{subject!r} {dict(subject.marks())}"

    assert not [form for form in subject.identifiers() if form in told]
    assert USER not in msgspec.json.encode(dict(subject.marks())).decode()


def test_secrets_with_one_id_are_distinguished() -> None:
    """A key whose secret was changed under the same id has another name."""
    assert Keys.derive(b"x" * 32, "k1").name != KEYS.name
    assert KEYS.name.startswith("k1.")


def test_known_keys_are_the_current_one_and_the_former(tmp_path: Path) -> None:
    """Former keys come from a setting or a file, after the current one."""
    former = json.dumps({"k0": _encoded(b"o"), "k-1": _encoded(b"p")})
    (tmp_path / "former").write_text(former)
    settings = RedactSettings(key=SecretStr(_encoded(b"k")), former_keys=SecretStr(former))
    from_file = RedactSettings(former_keys_file=tmp_path / "former")

    assert load_all_keys(settings) == (KEYS, OTHER, Keys.derive(b"p" * 32, "k-1"))
    assert load_all_keys(from_file) == load_all_keys(settings)[1:]
    assert load_all_keys(RedactSettings()) == ()


@pytest.mark.parametrize(
    "value",
    ["[]", "SECRET", '{"SECRET key": "eA=="}', '{"k0": "SECRET"}', '{"k0": 7}', '{"k0": "eHg="}'],
)
def test_former_keys_that_cannot_be_used(value: str) -> None:
    """An error in former keys names the setting, never a value."""
    with pytest.raises(UsageError, match="GOLDPAN_REDACT__FORMER_KEYS") as refused:
        load_all_keys(RedactSettings(former_keys=SecretStr(value)))

    assert "SECRET" not in str(refused.value)


def test_former_keys_are_not_shown() -> None:
    """Printing the settings shows no former key."""
    value = json.dumps({"k0": _encoded(b"o")})

    assert _encoded(b"o") not in repr(RedactSettings(former_keys=SecretStr(value)))
