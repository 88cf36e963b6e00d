"""Records of every released version stay readable, and the check that proves it can fail."""

import copy
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_reader
from fastavro.schema import parse_schema
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import CONTRACT_NAMES, CONTRACTS, parse_contract
from schemas.evolution import find_breaking_changes, find_evolution_problems
from tests.make.strategies import records
from tests.make.wire import avro_body, without_logical_types


@pytest.mark.parametrize("name", CONTRACT_NAMES)
def test_the_contract_reads_every_released_version(name: str) -> None:
    """BACKWARD_TRANSITIVE against all that was ever released."""
    assert find_evolution_problems(CONTRACTS[name]) == []


@pytest.mark.parametrize("name", CONTRACT_NAMES)
def test_the_latest_release_is_the_contract(name: str) -> None:
    """A change of the contract comes with a released copy, so that it is checked from then on."""
    contract = CONTRACTS[name]
    assert contract.avro == contract.released[max(contract.released)]
    assert list(contract.released) == list(range(1, len(contract.released) + 1))


@given(
    st.one_of(
        [
            st.tuples(st.just(name), st.just(version), records(name))
            for name in CONTRACT_NAMES
            for version in CONTRACTS[name].released
        ]
    )
)
def test_avro_itself_agrees(drawn: tuple[str, int, dict[str, Any]]) -> None:
    """Records written under a released version are resolved by an Avro library as they should."""
    name, version, record = drawn
    contract = CONTRACTS[name]
    writer = contract.released[version]
    body = avro_body(record, writer)
    made = schemaless_reader(
        BytesIO(body),
        parse_schema(without_logical_types(writer)),
        parse_schema(without_logical_types(contract.avro)),
    )
    assert isinstance(made, dict)
    assert made.keys() == {field.name for field in contract.fields}


def _trace() -> Any:
    return copy.deepcopy(CONTRACTS["trace"].avro)


def _field(avsc: Any, name: str) -> Any:
    return next(field for field in avsc["fields"] if field["name"] == name)


def _message(avsc: Any) -> Any:
    return _field(avsc, "messages")["type"]["items"]


NEW = {"name": "new", "type": "string", "pii": "keep", "doc": "New."}
OPTIONAL = {**NEW, "type": ["null", "string"], "default": None}
CHANGES: dict[str, tuple[Callable[[Any], object], str]] = {
    "new required field": (lambda avsc: avsc["fields"].append(NEW), "`new` is new"),
    "new required field in a list": (
        lambda avsc: _message(avsc)["fields"].append(NEW),
        "`messages[].new` is new",
    ),
    "field removed": (
        lambda avsc: avsc["fields"].remove(_field(avsc, "app_version")),
        "`app_version` was removed",
    ),
    "field renamed": (
        lambda avsc: _field(avsc, "app").update(name="application"),
        "`app` was removed",
    ),
    "field renamed with an alias": (
        lambda avsc: _field(avsc, "app").update(name="application", aliases=["app"]),
        "`app` was removed",
    ),
    "default removed": (
        lambda avsc: _field(avsc, "environment").pop("default"),
        "`environment` had a default",
    ),
    "null removed": (
        lambda avsc: _field(avsc, "response").update(type="string", default=""),
        "`response` was nullable",
    ),
    "type changed": (
        lambda avsc: _field(avsc, "latency_ms").update(type=["null", "long"]),
        "`latency_ms` was double and is long",
    ),
    "type of a nested field changed": (
        lambda avsc: _message(avsc)["fields"][0].update(type="bytes"),
        "`messages[].role` was string and is bytes",
    ),
    "value of an enumeration removed": (
        lambda avsc: _field(avsc, "status")["type"]["symbols"].remove("error"),
        "`status` has lost error",
    ),
    "limit narrower": (
        lambda avsc: _field(avsc, "trace_id").update(max_length=64),
        "`trace_id` allows less",
    ),
    "limit added": (
        lambda avsc: _field(avsc, "app").update(min_length=1),
        "`app` allows less",
    ),
    "nested record renamed": (
        lambda avsc: _message(avsc).update(name="Turn"),
        "`messages` holds records of another name",
    ),
    "record renamed": (lambda avsc: avsc.update(name="Call"), "the record has another name"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_incompatible_change_is_found(change: str) -> None:
    """Each way to break a replay is a problem that names version and field."""
    apply, expected = CHANGES[change]
    avsc = _trace()
    apply(avsc)
    contract = parse_contract("trace", avsc, CONTRACTS["trace"].released)
    found = find_evolution_problems(contract)
    assert any(expected in problem for problem in found)
    assert all(problem.startswith("version 1: ") for problem in found)


@pytest.mark.parametrize(
    "apply",
    [
        lambda avsc: avsc["fields"].append(OPTIONAL),
        lambda avsc: _message(avsc)["fields"].append(OPTIONAL),
        lambda avsc: _field(avsc, "status")["type"]["symbols"].append("cancelled"),
        lambda avsc: _field(avsc, "input_tokens").update(type=["null", "double"]),
        lambda avsc: _field(avsc, "trace_id").update(max_length=1024),
        lambda avsc: _field(avsc, "latency_ms").pop("minimum"),
        lambda avsc: _field(avsc, "app").update(aliases=["application"]),
        lambda avsc: _field(avsc, "app").update(doc="Another text."),
        lambda avsc: avsc["fields"].reverse(),
    ],
)
def test_a_compatible_change_passes(apply: Callable[[Any], object]) -> None:
    """What only adds or widens breaks no replay."""
    avsc = _trace()
    apply(avsc)
    assert find_evolution_problems(parse_contract("trace", avsc, CONTRACTS["trace"].released)) == []


def test_every_released_version_counts() -> None:
    """A change that the last version allows but an older one does not is found."""
    oldest = _trace()
    _field(oldest, "status")["type"]["symbols"].append("cancelled")
    current = CONTRACTS["trace"].avro
    contract = parse_contract("trace", current, {1: oldest, 2: current})
    assert find_evolution_problems(contract) == ["version 1: `status` has lost cancelled"]
    assert find_breaking_changes(contract, contract) == []
