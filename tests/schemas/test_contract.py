"""The contract fails closed, and its files say what the design fixes."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from schemas.contract import (
    CONTRACT_NAMES,
    CONTRACTS,
    Avsc,
    ContractError,
    FieldType,
    Pii,
    load_contract,
    parse_contract,
    schema_fingerprint,
)

AVSC: Any = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "a", "type": "string", "pii": "keep", "doc": "Text."},
        {
            "name": "items",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "I",
                    "fields": [
                        {
                            "name": "b",
                            "type": ["null", "string"],
                            "default": None,
                            "pii": "redact",
                            "doc": "Text.",
                        }
                    ],
                },
            },
            "default": [],
            "pii": "redact",
            "doc": "Items.",
        },
    ],
}


def _changed(change: Callable[[Any, Any], object]) -> Avsc:
    """Return the schema after a change to its first field and to the field in its items."""
    avsc = copy.deepcopy(AVSC)
    change(avsc["fields"][0], avsc["fields"][1]["type"]["items"]["fields"][0])
    return avsc  # type: ignore[no-any-return]


def test_a_sound_schema_is_read() -> None:
    """Paths, types and classes come out as they stand in the file."""
    fields = list(parse_contract("r", AVSC).walk())
    assert [(field.path, field.type, field.nullable, field.pii) for field in fields] == [
        ("a", FieldType.STRING, False, Pii.KEEP),
        ("items", FieldType.RECORDS, False, Pii.REDACT),
        ("items[].b", FieldType.STRING, True, Pii.REDACT),
    ]
    assert [field.path for field in parse_contract("r", AVSC).leaves()] == ["a", "items[].b"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda a, _: a.pop("pii"), "`a`"),
        (lambda a, _: a.update(pii="maybe"), "`a`"),
        (lambda a, _: a.update(pii=["keep"]), "`a`"),
        (lambda a, _: a.update(pii=None), "`a`"),
        (lambda _, b: b.pop("pii"), "`items[].b`"),
        (lambda _, b: b.update(pii="KEEP"), "`items[].b`"),
        (lambda a, _: a.update(pi="keep"), "`a`"),
        (lambda a, _: a.pop("doc"), "`a`"),
        (lambda _, b: b.pop("default"), "`items[].b`"),
        (lambda a, _: a.update(type=["string", "null"]), "`a`"),
        (lambda a, _: a.update(type={"type": "map", "values": "long"}), "`a`"),
        (lambda a, _: a.update(minimum=1), "`a`"),
    ],
)
def test_a_field_that_is_not_sound_stops_the_loading(
    change: Callable[[Any, Any], object], field: str
) -> None:
    """Without a known class, with a property nobody has defined, or with no column for it."""
    with pytest.raises(ContractError, match=r"r\.avsc") as raised:
        parse_contract("r", _changed(change))
    assert field in str(raised.value)


def test_a_list_is_not_kept_whole_if_something_in_it_is_personal() -> None:
    """A list whose records hold text to redact cannot be declared free of personal data."""
    avsc = copy.deepcopy(AVSC)
    avsc["fields"][1]["pii"] = "keep"
    with pytest.raises(ContractError, match="cannot be `keep`"):
        parse_contract("r", avsc)


@pytest.mark.parametrize("avsc", [{}, {"type": "record"}, {"type": "enum"}, {"type": "nope"}])
def test_what_is_no_record_schema_is_refused(avsc: Avsc) -> None:
    """A file that is no Avro record is a contract error, not a crash."""
    with pytest.raises(ContractError):
        parse_contract("r", avsc)


@pytest.mark.parametrize("name", CONTRACT_NAMES)
def test_every_contract_of_the_package_loads(name: str) -> None:
    """Each file passes the strict reading, and has a released version."""
    contract = load_contract(name)
    assert contract == CONTRACTS[name]
    assert contract.released


@pytest.mark.parametrize(
    ("name", "pii", "paths"),
    [
        ("trace", Pii.PSEUDONYMIZE, {"user_id"}),
        ("feedback", Pii.PSEUDONYMIZE, {"user_id"}),
        ("feedback", Pii.REDACT, {"comment", "corrected_response", "attributes"}),
        ("label_event", Pii.REDACT, {"expected_response"}),
        ("review", Pii.PSEUDONYMIZE, {"reviewer"}),
        ("review", Pii.REDACT, {"expected_response", "comment"}),
        ("answer_review", Pii.PSEUDONYMIZE, {"reviewer"}),
        ("answer_review", Pii.REDACT, {"response", "comment"}),
        ("answer_review", Pii.REDACT_JSON, {"conversation"}),
        (
            "trace",
            Pii.REDACT,
            {
                "error_message",
                "messages[].name",
                "response",
                "retrieved[].text",
                "tool_calls[].error",
                "attributes",
            },
        ),
        (
            "trace",
            Pii.REDACT_JSON,
            {
                "messages[].content",
                "messages[].tool_calls[].arguments",
                "tool_calls[].arguments",
                "tool_calls[].result",
            },
        ),
    ],
)
def test_the_classes_of_personal_data_are_those_of_the_design(
    name: str, pii: Pii, paths: set[str]
) -> None:
    """A field cannot slip into another class unnoticed."""
    assert {field.path for field in CONTRACTS[name].leaves() if field.pii is pii} == paths


def test_fingerprints_are_those_of_the_specification() -> None:
    """CRC-64-AVRO of "int" is the published value, in the order of the bytes on the wire."""
    published = 0x7275D51A3F395C8F
    assert schema_fingerprint({"type": "int"}) == published.to_bytes(8, "little").hex()
