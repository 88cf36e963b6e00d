"""Cheap checks before the work: where they say no, the work finds nothing."""

import json
from collections.abc import Sequence
from random import Random

import pytest
import regex

from benchmarks.hostile_texts import hostile
from redact.analysis.segment_parts import MarkedLiteral
from redact.identities.identity_search import IdentityFinder
from redact.lexical.findings import PiiFinding
from redact.pairs import read_pairs, reader
from redact.recognition.contacts.dialled_numbers import is_dialled, max_dialled_digits
from redact.recognition.contacts.dialled_phones import GluedPhoneRecogniser
from redact.recognition.numbers.accounts import IbanRecogniser
from redact.recognition.persons.person_phrases import GreetedNameRecogniser
from redact.rendering import renderer
from redact.screening import ner_gate
from tests.redact.equality import audited_redactor, results
from tests.redact.kit import minimal, needs_pure_python

_NUMBERS = (
    "2024-05-11T", "2024-05-11", "T06:00", "212", "555", "0187", "(212) ", "+1 ", "+49", ".", " ",
    "-", "a", "x", "\u00e9", "/", ",", "415-555-0132", "030", "12 ", "(", ")", "+", "1999-12-31T",
)  # fmt: skip
_INTRODUCTIONS = (
    "i'm", "this is", "hello", "hi", "met", "dear", "ol\u00e1", "thanks", "it is", "I'm", "THIS IS",
    "hola:", "hi,", "cher", "i''m", "sofia", "Sofia", "Ana Lee", "max", "Max", "sorry", "D'Angelo",
    "Jos\u00e9", "maria,", "Bob", "fine", "EAN 57", " ", ",", ": ", "\n", "_", "\"", "(", "\u017f",
)  # fmt: skip
_PAIRS = (
    "email", "Name", ":", ": ", "=", "12:30", "a@b.de", "'", '"', ",", ";", "\n", "|", "(", ")",
    "values", "INSERT INTO t", "  ", " - ", "--", "...", "\t", "<b>", "</b>", "{", "}", "\uff1a",
    "x", "7", " ", "\u2014", "\u2502",
)  # fmt: skip
_FREE_TEXT = (
    "ISBN ", "isbn", "mean", "SHA256", "\u017fha", "\u0130MO", "\u0131mo", " doi: ", "max_tokens",
    "get_user()", "KeyError", "x.FooWarning", "A=", "_", "=", "25 years", "3yo", "12 Jahre",
    "40 a\u00f1os", "aged 3", "turned 40", "AGE: 7", "7anni", "5 lata", "Anna", "anna", "sofia",
    "\u00c9lodie", "the", "Hello", "JFK", "HAT083", "Z\u00fcrich", "xqzwv", "\n", "Cabin: x",
    "Passenger: Ann", "Max value: 3", " ", ", ", "|", "def f(x):\n", "\u212aa", "'s", "_x", "9A",
)  # fmt: skip


_ACCOUNTS = (
    "DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "FR14", "de", "D E", "NO 69", "IT",
    "00-11 22.33_44", "AB12CD34EF56", "\u0130T60X0542811101", "\u017fE45", "GB-8", "x", " - ",
    "flight HAT136 at 06:00 from JFK, and the price is 130 dollars", "0" * 60, "A1" * 40, "9DE89",
    ", " * 80, "7",
)  # fmt: skip


def _mixed(random: Random, parts: tuple[str, ...], most: int = 9) -> str:
    pieces = (
        random.choice(parts) + random.choice(["", " "]) for _ in range(random.randrange(most))
    )
    return "".join(pieces)


@pytest.mark.parametrize(
    "recogniser", [GluedPhoneRecogniser(("US", "DE")), GreetedNameRecogniser()]
)
def test_a_recogniser_finds_nothing_in_a_text_that_it_skips(
    recogniser: GluedPhoneRecogniser | GreetedNameRecogniser,
) -> None:
    """Numbers that touch a letter, and names after `I'm` and the like."""
    random = Random(3)  # noqa: S311  # not for secrets
    parts = _NUMBERS if isinstance(recogniser, GluedPhoneRecogniser) else _INTRODUCTIONS
    found = quiet = 0
    for _ in range(4_000):
        text = _mixed(random, parts)
        matches = (m for p in recogniser.patterns for m in regex.finditer(p.regex, text))
        if isinstance(recogniser, GluedPhoneRecogniser):
            counts = any(list(recogniser.judge(text, match)) for match in matches)
        else:
            counts = any(not recogniser.invalidate_result(match[0]) for match in matches)
        assert recogniser.may_stand(text) or not counts, text
        found += counts
        quiet += not recogniser.may_stand(text)
    assert found > 50
    assert quiet > 500


def test_no_part_of_a_dialled_number_has_more_digits_than_stated() -> None:
    """Whatever part of a candidate is tried, in any region."""
    random = Random(4)  # noqa: S311  # not for secrets
    for _ in range(1_500):
        text = "".join(random.choice("01234567890019 -./") for _ in range(random.randrange(1, 17)))
        most = max_dialled_digits(text)
        for start in range(len(text)):
            for end in range(start + 1, len(text) + 1):
                digits = sum(map(str.isdigit, text[start:end]))
                if digits > most and text[start].isdigit() and text[end - 1].isdigit():
                    assert not is_dialled(text, start, end), (text, text[start:end])
    assert max_dialled_digits("3473") == 0
    assert max_dialled_digits("024-1-17") == 3
    assert max_dialled_digits("(212) 555 0187") == len("(212) 555 0187")


def test_an_account_is_found_in_parts_of_a_text_as_in_all_of_it() -> None:
    """Two letters and a digit, with any signs: no match is outside of these parts."""
    random = Random(5)  # noqa: S311  # not for secrets
    expression: str = vars(IbanRecogniser())["patterns"][0].regex
    search = regex.compile(expression, regex.IGNORECASE | regex.DOTALL | regex.MULTILINE)
    matched = cut = 0
    for _ in range(3_000):
        text = _mixed(random, _ACCOUNTS, 40)
        parts = IbanRecogniser().stretches(text)
        within = [m.span() for start, end in parts for m in search.finditer(text, start, end)]
        assert within == [m.span() for m in search.finditer(text)], text
        matched += bool(within)
        cut += sum(end - start for start, end in parts) < len(text)
    assert matched > 100
    assert cut > 100


def test_keys_are_the_same_without_the_check_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that cannot contain a key is not read for keys; all others are."""
    random = Random(6)  # noqa: S311  # not for secrets
    texts = [_mixed(random, _PAIRS, 14) for _ in range(3_000)]
    texts.append("insert into t (email) values ('a@b.de')")
    found = [read_pairs(text) for text in texts]
    monkeypatch.setattr(reader, "may_hold_pairs", lambda _: True)
    assert found == [read_pairs(text) for text in texts]
    assert sum(map(bool, found)) > 100
    assert not read_pairs("2026-05-11T08:00:00")


def test_the_gate_of_the_model_is_the_same_without_its_checks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Identifiers, names of codes, ages and capitals: searched only where they may occur."""
    needs_pure_python()
    random = Random(7)  # noqa: S311  # not for secrets
    texts = [_mixed(random, _FREE_TEXT, 12) for _ in range(6_000)]

    def results() -> list[tuple[str, bool]]:
        shown = [ner_gate.blank_code_and_keys(text) for text in texts]
        return [(text, ner_gate.needs_ner(text, ())) for text in shown]

    checked = results()
    monkeypatch.setattr(ner_gate, "SIGNS_OF_IDENTIFIER", ("",))
    monkeypatch.setattr(ner_gate, "may_name_code", lambda _: True)
    monkeypatch.setattr(ner_gate, "may_state_age", lambda *_: True)
    monkeypatch.setattr(ner_gate, "ASCII_CAPITAL", ner_gate.CAPITAL)
    assert checked == results()
    assert 500 < sum(needed for _, needed in checked) < len(texts) - 500


_PROFILE = {
    "first_name": "Ana", "last_name": "Lopez", "dob": "1990-05-17", "email": "ana.lopez@x.example",
    "user_id": "ana_lopez_3668", "address": {"address1": "12 Elm Street", "zip": "60601"},
}  # fmt: skip
_STATED = (
    "Ana Lopez", "ana", "LOPEZ", "Lopez, Ana", "A. Lopez", "ana_lopez_3668", "1990-05-17", "1990",
    "17 May 1990", "May 17, 1990", "Ana+Lopez", "name=Ana+Lopez", "Ana%20Lopez", "Ana&nbsp;Lopez",
    "\u0130ana", "Ana\u200bLopez", "Elm Street", "12 elm street", "60601", "Anastasia", "'s", "s",
    " ", ", ", ". ", "-", ":", "\n", '"', "\\", "x", "?q=", "&", "{", "}", "5",
)  # fmt: skip


def _nested(random: Random, depth: int = 2) -> object:
    """Return a document with forms of the profile's values in its keys, strings and numbers."""
    if not depth or random.random() < 0.4:
        text = "".join(random.choice(_STATED) for _ in range(random.randrange(5)))
        return random.choice([text, text, json.dumps({"inner": text}), 1990, 60601, 3668])
    if random.random() < 0.5:
        return [_nested(random, depth - 1) for _ in range(random.randrange(4))]
    return {
        random.choice(("note", "id", "Ana Lopez", "k")) + str(number): _nested(random, depth - 1)
        for number in range(random.randrange(4))
    }


def test_a_literal_holds_no_other_identities_than_those_found_around_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Documents are redacted as if each identity of the record were searched in each literal."""
    random = Random(8)  # noqa: S311  # not for secrets
    records = [
        minimal(
            messages=[
                {"role": "tool", "content": json.dumps(_PROFILE)},
                {"role": "tool", "content": json.dumps([_nested(random, 3), number])},
            ]
        )
        for number in range(150)
    ]
    found = results("strict", "trace", records)

    def any_name(
        text: str,
        mark: MarkedLiteral,
        names: Sequence[IdentityFinder],
        named: Sequence[PiiFinding],
        starts: Sequence[int],
    ) -> Sequence[IdentityFinder]:
        inside = any(mark.start <= start < mark.end for start in starts)
        return names if inside or "\\" in text[mark.start : mark.end] else ()

    monkeypatch.setattr(renderer, "is_plain", lambda _text, _names: False)
    audited_redactor.cache_clear()
    assert found == results("strict", "trace", records)
    monkeypatch.setattr(renderer, "names_within", any_name)
    audited_redactor.cache_clear()
    assert found == results("strict", "trace", records)
    assert sum("PERSON" in result for result in found) > 40


def test_a_result_does_not_depend_on_what_was_read_before() -> None:
    """Caches of texts, values and words give what the work itself would have given."""
    random = Random(9)  # noqa: S311  # not for secrets
    records = [
        minimal(trace_id=str(number), messages=[{"role": "user", "content": hostile(random)}])
        for number in range(60)
    ]
    alone = [results("strict", "trace", [record]) for record in records[::-1]][::-1]
    again = [results("strict", "trace", [record]) for record in records]
    assert alone == again
