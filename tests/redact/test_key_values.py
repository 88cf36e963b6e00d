"""A rule on a key checks the value, too: data are replaced, dummies and descriptions stay."""

import json

import pytest

from redact.analysis.json_leaves import read_leaves
from redact.analysis.segments import read_keyed_leaf
from redact.field_keys.key_book import KeyBook
from redact.field_keys.value_types import type_of_value
from redact.policies.policy import KeyRules

DATA = {
    "PERSON": (
        "Ann Lee",
        "ingrid solheim",
        "leila",
        "O'Brien",
        "Dr. med. Jana Novák",
        "Ludwig van der Berg",
        "Jean-Luc",
        "J. R. Smith",
        "山田太郎",
        "Иван Петров",
        "محمد علي",
        "राजेश कुमार",
        "김민준",
        "Na",
        "McDonald",
        "ANNA SCHMIDT",
        "María José de la Cruz",
        "Lee, Ann",
        "Núñez",
        "Date",
        "X",
        "d\u2019Arc",
    ),
    "EMAIL_ADDRESS": (
        "ana@example.com",
        "ANA+x@mail.example.org",
        "marisol.quintero",
        "Ann Lee <ann@example.com>",
        "not an address",
        "ana(at)example.com",
        "пользователь@example.com",
    ),
    "PHONE_NUMBER": (
        "+1 212 555 0187",
        "01713920047",
        "(415) 555-0132",
        "4155550132",
        "tel. 01 99 00 41 27",
        "555-0132 ext. 4",
        "+44 20 7946 0381",
        "\uff15\uff15\uff15\uff10\uff11\uff18\uff17",
    ),
    "US_SSN": ("743286015", "743-28-6015", "743 28 6015"),
    "NATIONAL_ID": (
        "X7391846",
        "86 095 742 719",
        "RSSMRA85T10A562S",
        "12345678Z",
        "SOLHE853104I99KA",
    ),
    "DATE_OF_BIRTH": (
        "1979-08-30",
        "30.08.1979",
        "30 August 1979",
        "1979",
        "19790830",
        "1979年8月30日",
    ),
    "CREDIT_CARD": ("4000056655665556", "4000 0566 5566 5556", "737", "4000-0566-5566-5556"),
    "IBAN_CODE": ("NL91ABNA0417164300", "nl91 abna 0417 1643 00"),
    "US_BANK_NUMBER": ("1029384756", "021-000021"),
    "ZIP_CODE": ("10115", "SW1A 1AA", "1234 AB", "90210-1234"),
    "STREET_ADDRESS": (
        "12 B",
        "Rue de la Paix",
        "12 Elm Street, Springfield",
        "東京都千代田区1-1",
        "Hauptstr. 5",
    ),
    "SECRET": (
        "sunflower",
        "hunter2",
        "password",
        "correct horse battery staple",
        "Basic b3BzOnN1bg==",
        "o4r=n!c+=d#ba5_ol-0xm%4r_ywidn*&l(00#tvlv2rvii73&d",
        "admin",
        "123456",
        "$ecret!9",
    ),
    "IP_ADDRESS": ("203.0.113.94", "2001:db8::1", "203.0.113.94, 198.51.100.2", "203.0.113.94:443"),
    "MAC_ADDRESS": ("00:1b:44:11:3a:b7", "00-1B-44-11-3A-B7"),
    "USER_ID": ("mia_li_3668", "jdoe", "42", "anna"),
    "MEDICAL_RECORD": ("A0093817", "771-04-88"),
    "VEHICLE_ID": ("7KLM204", "LN24 XKV", "5ZZKA3D46KF317404", "B-MX 1234"),
    "AGE": ("37", "41 years"),
    "CRYPTO": ("0xbc82c91e03b300ef08d362dc8ee291ee3ee14394",),
}

NO_DATA_OF_ANY_TYPE = (
    "",
    " ",
    "n/a",
    "N/A",
    "none",
    "null",
    "unknown",
    "***",
    "<email>",
    "{{email}}",
    "${EMAIL}",
    "string",
    "required",
    "optional",
    "varchar(32)",
    "YOUR_API_KEY",
    "your-api-key-here",
    "[REDACTED]",
    "<EMAIL_ADDRESS:k3f9aaaaaaaa>",
    "not provided",
    "keine Angabe",
    "non renseigné",
    "no disponible",
    "-",
    "...",
    "xxx-xx-xxxx",
    "required|email|max:255",
    "Optional[str]",
    "string | null",
    "text not null",
    "desconocido",
    "unbekannt",
    "なし",
    "未知",
    "%s",
    "%(email)s",
    "{email}",
    "enter your phone number",
    "•••••••",
)

NO_DATA = {
    "PERSON": (
        "get_user_details",
        "createContact",
        "3",
        "https://example.com",
        "ann@home",
        "What is the name of the customer who wrote this letter?",
        "gpt-4o",
        "/usr/bin",
        "StringList",
    ),
    "EMAIL_ADDRESS": (
        "verified",
        "daily",
        "yes",
        "https://example.com/a",
        "^[^@]+@[^@]+$",
        "work",
        "12",
    ),
    "PHONE_NUMBER": (
        "3",
        "home",
        "mobile",
        "yes",
        "date",
        "verified",
        "Please call the customer at noon",
    ),
    "US_SSN": ("none", "9 digits", "^[0-9]{9}$", "***-**-1234", "last4", "on file"),
    "DATE_OF_BIRTH": ("YYYY-MM-DD", "TT.MM.JJJJ", "date", "unknown", "dd/mm/yyyy"),
    "CREDIT_CARD": ("visa", "12/27", "**** **** **** 1234", "1234 5", "Amex ending soon"),
    "STREET_ADDRESS": (
        "passed",
        "home",
        "localhost",
        "0.0.0.0:8080",
        "https://example.com",
        "0x7ffeefbff5c8",
    ),
    "ZIP_CODE": ("required", "archive.tar.gz", "five digits"),
    "SECRET": (
        "${API_KEY}",
        "$(cat token.txt)",
        "process.env.TOKEN",
        "********",
        "os.environ['TOKEN']",
        "bytea",
        "At least 12 characters, one of them a digit.",
        "/run/secrets/db",
        "n/a",
        "$TOKEN",
        "{{ vault_password }}",
    ),
    "IP_ADDRESS": ("127.0.0.1", "0.0.0.0:0", "::1", "v4", "dynamic", "1.2"),
    "MAC_ADDRESS": ("M2", "macOS"),
    "NATIONAL_ID": ("open", "all", "expired"),
    "AGE": ("300", "old", "0"),
    "VEHICLE_ID": ("a very long sentence about a vehicle",),
    "IBAN_CODE": ("missing", "DE"),
}


@pytest.mark.parametrize("kind", DATA)
def test_data_under_a_certain_key_go(kind: str) -> None:
    """Whatever their script and spelling."""
    assert [value for value in DATA[kind] if type_of_value(kind, value) != kind] == []


@pytest.mark.parametrize("kind", NO_DATA)
def test_values_that_are_no_data_stay(kind: str) -> None:
    """States, types, templates and patterns are nobody's, under certain and vague keys."""
    values = (*NO_DATA[kind], *NO_DATA_OF_ANY_TYPE)
    assert [
        v for v in values if type_of_value(kind, v) or type_of_value(kind, v, certain=False)
    ] == []


@pytest.mark.parametrize(
    ("rule", "value", "kind"),
    [
        ("PERSON", "Ann Lee", "PERSON"),
        ("PERSON", "ingrid solheim", "PERSON"),
        ("PERSON", "Ana", "PERSON"),
        ("PERSON", "search", None),
        ("PERSON", "install packages", None),
        ("PERSON", "ResourceId", None),
        ("PERSON", "desk-lamp", None),
        ("PERSON", "ana@example.com", "EMAIL_ADDRESS"),
        ("PERSON", "+1 212 555 0187", "PHONE_NUMBER"),
        ("PERSON", "田中花子", "PERSON"),
        ("STREET_ADDRESS", "203.0.113.94", "IP_ADDRESS"),
        ("STREET_ADDRESS", "ana@example.com", "EMAIL_ADDRESS"),
        ("STREET_ADDRESS", "12 Elm Street", "STREET_ADDRESS"),
        ("STREET_ADDRESS", "Berlin", "STREET_ADDRESS"),
        ("STREET_ADDRESS", "0xbc82c91e03b300ef08d362dc8ee291ee3ee14394", "CRYPTO"),
        ("STREET_ADDRESS", "/api/v1", None),
        ("USER_ID", "ana@example.com", "EMAIL_ADDRESS"),
        ("USER_ID", "mia_li_3668", "USER_ID"),
        ("USER_ID", "premium", None),
        ("USER_ID", "42990379-7475-4354-b108-f45fc041933a", None),
        ("SECRET", "8k3lpFzJE27RBwfmEJByoXfqNnH7am", "SECRET"),
        ("SECRET", "hello", None),
        ("SECRET", " the", None),
        ("SECRET", "2024", None),
        ("CREDIT_CARD", "4000056655665556", "CREDIT_CARD"),
        ("CREDIT_CARD", "737", None),
        ("PHONE_NUMBER", "415-555-0132", "PHONE_NUMBER"),
        ("PHONE_NUMBER", "2026-03-14", None),
    ],
)
def test_under_a_vague_key_the_value_decides(rule: str, value: str, kind: str | None) -> None:
    """`address`, `user` and `token` are ambiguous keys: the value decides."""
    assert type_of_value(rule, value, certain=False) == kind


@pytest.mark.parametrize(
    ("rule", "number", "kind"),
    [
        ("PHONE_NUMBER", "4155550132", "PHONE_NUMBER"),
        ("PHONE_NUMBER", "3", None),
        ("US_SSN", "743286015", "US_SSN"),
        ("PERSON", "7", None),
        ("EMAIL_ADDRESS", "3", None),
        ("DATE_OF_BIRTH", "19790830", "DATE_OF_BIRTH"),
        ("DATE_OF_BIRTH", "-11145600", "DATE_OF_BIRTH"),
        ("DATE_OF_BIRTH", "0.5", None),
        ("SECRET", "512", None),
        ("SECRET", "482913", "SECRET"),
        ("ZIP_CODE", "10115", "ZIP_CODE"),
        ("CREDIT_CARD", "4000056655665556", "CREDIT_CARD"),
        ("STREET_ADDRESS", "12", "STREET_ADDRESS"),
        ("USER_ID", "42", "USER_ID"),
    ],
)
def test_numbers_of_json(rule: str, number: str, kind: str | None) -> None:
    """A number is a datum if it has the digits of one."""
    assert type_of_value(rule, number, is_number=True) == kind


def taken(document: object) -> dict[str, str]:
    """Return the values of a document that the rules on keys take, each with its type."""
    found = read_leaves(json.dumps(document), KeyBook(KeyRules()))
    kinds = {leaf.text: value and value.type for leaf in found for value in [read_keyed_leaf(leaf)]}
    return {text: kind for text, kind in kinds.items() if kind}


def test_a_text_below_a_harmless_key_is_still_scanned() -> None:
    """`ticket` may hold a number, or text that a person wrote."""
    found = {
        leaf.key: leaf.rule
        for leaf in read_leaves('{"ticket": {"text": "x"}}', KeyBook(KeyRules()))
    }
    assert found == {"text": None}


def test_a_json_schema_has_no_data_but_samples() -> None:
    """Types, titles and patterns stay; a default that is an address is replaced."""
    schema = {
        "name": "create_contact",
        "parameters": {
            "type": "object",
            "properties": {
                "email": {
                    "type": "string",
                    "description": "The customer's e-mail address",
                    "x-group": "Contact data",
                    "default": "kwame.asante@example.org",
                },
                "password": {"type": "string", "title": "Password", "minLength": 12},
                "first_name": {"type": ["string", "null"], "examples": ["Kwame"]},
                "address": {"$ref": "#/$defs/Address"},
                "phone": {"anyOf": [{"type": "string", "format": "phone"}, {"type": "null"}]},
            },
            "required": ["email", "first_name"],
        },
    }
    assert taken(schema) == {"kwame.asante@example.org": "EMAIL_ADDRESS", "Kwame": "PERSON"}


def test_an_object_below_a_personal_key_is_personal() -> None:
    """Parts of a name and of an address need no keys of their own; what describes them stays."""
    document = {
        "name": {"first": "ann", "last": "lee", "verified": True},
        "address": {"type": "shipping", "line": ["12 B"], "city": "Springfield"},
        "phone": {"kind": "mobile", "number": "4155550132"},
        "ssn": {"value": "743286015", "status": "checked by Bob"},
    }
    assert taken(document) == {
        "ann": "PERSON",
        "lee": "PERSON",
        "12 B": "STREET_ADDRESS",
        "Springfield": "STREET_ADDRESS",
        "4155550132": "PHONE_NUMBER",
        "743286015": "US_SSN",
    }


@pytest.mark.parametrize(
    ("document", "gone"),
    [
        ({"name": "Desk Lamp", "price": 49.9}, {}),
        ({"product": {"name": "Desk Lamp"}}, {}),
        (
            {"hotel": {"name": "Grand Palace", "address": "12 Elm Street"}},
            {"12 Elm Street": "STREET_ADDRESS"},
        ),
        ({"type": "function", "function": {"name": "search", "arguments": "{}"}}, {}),
        (
            {"name": "ana", "email": "ana@example.com"},
            {"ana": "PERSON", "ana@example.com": "EMAIL_ADDRESS"},
        ),
        (
            {"fields": [{"name": "Value", "email": "a@example.com"}]},
            {"a@example.com": "EMAIL_ADDRESS"},
        ),
        ({"errors": {"email": "is invalid", "password": "is too short"}}, {}),
        ({"labels": {"first_name": "First name", "address": "Street and number"}}, {}),
        (
            {"hotel": {"name": "Grand Plaza", "phone": "415-555-0132"}},
            {"415-555-0132": "PHONE_NUMBER"},
        ),
        ({"dependencies": {"cookie": "^0.4.0", "passport": "~0.7.0"}}, {}),
        ({"mapping": {"email": "customer.email_address"}}, {}),
        (
            {"form": {"name": "ana", "email": "a@example.com"}},
            {"ana": "PERSON", "a@example.com": "EMAIL_ADDRESS"},
        ),
        ({"passengers": [{"name": "ana"}]}, {"ana": "PERSON"}),
        ({"name": "Ana Lopez"}, {"Ana Lopez": "PERSON"}),
        ({"name": "deploy", "steps": [{"name": "install packages", "run": "make"}]}, {}),
        ({"user": {"plan": "Gold Plus", "name": "ana"}}, {"ana": "PERSON"}),
        ({"passenger": "ingrid solheim", "flight": "LH 454"}, {"ingrid solheim": "PERSON"}),
    ],
)
def test_a_bare_name_is_judged_by_its_neighbours(
    document: dict[str, object], gone: dict[str, str]
) -> None:
    """Keys beside it and above it show a person or a thing."""
    assert taken(document) == gone
