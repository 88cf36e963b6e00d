"""Names learnt from a record's fields are found in its text, and in no other record's."""

import json
from typing import Any

import pytest

from redact.identities.extraction import identities_from_user_id
from redact.identities.identity import IdentityValue
from redact.identities.identity_search import find_identities, identities_of
from redact.lexical.overlaps import merge_overlaps
from redact.screening.ner_gate import needs_ner
from tests.redact.kit import NOW, decoded, minimal, rows
from tests.redact.test_leaks import engine

PROFILE = json.dumps({"first_name": "Zora", "last_name": "Quill", "dob": "1987-04-05"})


def answers(*records: dict[str, Any]) -> list[str]:
    """Redact records and return their responses."""
    outcome = engine().redact(decoded(list(records)), ingested_at=NOW)
    assert outcome.rejected == []
    return [row["response"] for row in rows(outcome)]


def with_profile(response: str) -> dict[str, Any]:
    """Return a trace in which a tool returned a profile."""
    return minimal(messages=[{"role": "tool", "content": PROFILE}], response=response)


@pytest.mark.parametrize(
    "form",
    ["Zora", "Zora's", "zora", "ZORA", "Zora Quill", "Quill, Zora", "Z. Quill", "Zora Q.",
     "zora.quill", "Quills", "April 5, 1987", "5 April 1987", "04/05/1987", "1987-04-05",
     "Z\u200bora", "zora_quill_77"],
)  # fmt: skip
def test_every_form_of_a_learnt_name_is_found(form: str) -> None:
    """Case, possessive, initials, order, disguise, and the birth date in other spellings."""
    answer = answers(with_profile(f"Well, {form}: it is done."))[0]
    assert answer.startswith("Well, ")
    assert answer.endswith("it is done.")
    for part in ("ora", "uill", "pril", "1987"):
        assert part not in answer


def test_never_across_subjects() -> None:
    """A name is a word again in the next record."""
    first, second = answers(with_profile("Zora flew."), minimal(response="Zora flew."))
    assert "Zora" not in first
    assert second == "Zora flew."


def test_ordinary_words_count_as_names_only_with_a_capital() -> None:
    """Mr Brown is a name, a brown bag is not."""
    finders = identities_of(frozenset({IdentityValue("PERSON", "Will Brown")})).finders
    text = "Brown has put the brown bag here, and so Will knows."
    assert sorted(text[f.start : f.end] for f in find_identities(text, finders)) == [
        "Brown",
        "Will",
    ]
    assert find_identities("brownie, willing, Browning", finders) == []


def test_a_user_id_gives_the_name_it_is_made_of() -> None:
    """mia_li_3668 is Mia Li; an opaque id is only itself."""
    assert IdentityValue("PERSON", "Mia Li") in identities_from_user_id("mia_li_3668")
    assert identities_from_user_id("u-83461") == {IdentityValue("USER_ID", "u-83461")}


def test_marks_on_letters_may_be_missing() -> None:
    """A name is found as spelt, and without its accents."""
    finders = identities_of(frozenset({IdentityValue("PERSON", "J\u00fcrgen M\u00fcller")})).finders
    for text in ("J\u00fcrgen M\u00fcller", "Jurgen Muller", "M\u00fcllers"):
        assert [(f.start, f.end) for f in merge_overlaps(find_identities(text, finders), text)] == [
            (0, len(text))
        ]


def test_the_model_reads_text_that_may_contain_a_name() -> None:
    """Everyday language needs no model, an unexplained capital does."""
    assert not needs_ner("Hi, I want to fly from JFK to Boston on Monday. Thanks!", [])
    assert needs_ner("I spoke with Margaret about it.", [])
    assert needs_ner("the parcel for olga went to the neighbour", [])
    assert needs_ner("She moved in with olga last week.", [])
    assert needs_ner("mrs krylova has called about the order", [])
    assert needs_ner("I am 34 years old and would like a refund.", [])
    assert not needs_ner("please cancel the order and send me the money", [])
    assert not needs_ner("Please rebook it, the itinerary is wrong.", [])


def test_numeric_accounts_are_found_as_numbers_too() -> None:
    """An account that is a number is replaced in JSON numbers as well, and the record passes."""
    content = json.dumps({"customer_id": "8412345", "ref": 8412345, "id": 8412345, "n": 3})
    record = minimal(messages=[{"role": "tool", "content": content}], response="It is 8412345.")
    outcome = engine().redact(decoded([record]), ingested_at=NOW)
    assert outcome.rejected == []
    row = rows(outcome)[0]
    assert "8412345" not in json.dumps(row, default=str)
    assert json.loads(row["messages"][0]["content"])["n"] == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "unknown", "phone": "string", "address": "not provided"},
        {"name": "guest user", "user_id": "anonymous"},
        {"user_id": "usr_live_8fe3"},
    ],
)
def test_dummy_values_are_not_identities(fields: dict[str, str]) -> None:
    """A profile without values replaces no ordinary words in the answer."""
    answer = "This live string is unknown to the anonymous guest user, not provided."
    record = minimal(messages=[{"role": "tool", "content": json.dumps(fields)}], response=answer)
    assert answers(record) == [answer]
