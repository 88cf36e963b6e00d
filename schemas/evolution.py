"""Checks that the contract can read what every released version has written.

Topics are replayed from their beginning, and JSON carries no writer's schema. So this check is
stricter than Avro's resolution: a record that was valid under a released version, in any wire
format, must be valid now. So a field must not be renamed even with an alias, its default must stay,
and its limits must not become narrower.
"""

from collections.abc import Iterator

from schemas.contract import Contract, ContractField, FieldType, parse_contract


def find_evolution_problems(contract: Contract) -> list[str]:
    """Return one sentence for each reason why records of released versions would fail."""
    problems: list[str] = []
    for version, avsc in contract.released.items():
        released = parse_contract(contract.name, avsc)
        problems += [
            f"version {version}: {problem}" for problem in find_breaking_changes(contract, released)
        ]
    return problems


def find_breaking_changes(reader: Contract, writer: Contract) -> list[str]:
    """Return why ``reader`` cannot read every record that is valid under ``writer``."""
    breaks = list(_breaks_of_fields(reader.fields, writer.fields))
    if _short_name(reader.avro["name"]) != _short_name(writer.avro["name"]):
        breaks.append("the record has another name")
    return breaks


def _breaks_of_fields(
    reader: tuple[ContractField, ...], writer: tuple[ContractField, ...]
) -> Iterator[str]:
    current = {field.name: field for field in reader}
    released = {field.name for field in writer}
    for field in writer:
        if field.name in current:
            yield from _breaks_of_field(current[field.name], field)
        else:
            yield f"`{field.path}` was removed or renamed; fields must stay"
    for field in reader:
        if field.name not in released and not field.has_default:
            yield f"`{field.path}` is new and has no default"


def _breaks_of_field(reader: ContractField, writer: ContractField) -> Iterator[str]:
    path = reader.path
    if reader.type is not writer.type and (writer.type, reader.type) not in _PROMOTIONS:
        yield f"`{path}` was {writer.type} and is {reader.type}"
    if writer.nullable and not reader.nullable:
        yield f"`{path}` was nullable and is not any more"
    if writer.has_default and not reader.has_default:
        yield f"`{path}` had a default and has none any more"
    if removed := set(writer.symbols) - set(reader.symbols):
        yield f"`{path}` has lost {', '.join(sorted(removed))}"
    if writer.record is not None and reader.record is not None:
        if _short_name(writer.record) != _short_name(reader.record):
            yield f"`{path}` holds records of another name"
        yield from _breaks_of_fields(reader.fields, writer.fields)
    if _is_narrower(reader, writer):
        yield f"`{path}` allows less than it did"


def _is_narrower(reader: ContractField, writer: ContractField) -> bool:
    now, then = reader.limits, writer.limits
    return (
        _at_least(now.minimum) > _at_least(then.minimum)
        or _at_most(now.maximum) < _at_most(then.maximum)
        or _at_least(now.min_length) > _at_least(then.min_length)
        or _at_most(now.max_length) < _at_most(then.max_length)
    )


def _at_least(limit: float | None) -> float:
    return float("-inf") if limit is None else limit


def _at_most(limit: float | None) -> float:
    return float("inf") if limit is None else limit


def _short_name(name: str) -> str:
    return name.rpartition(".")[2]


_PROMOTIONS = frozenset({(FieldType.LONG, FieldType.DOUBLE)})
"""The changes of type that Avro allows (specification 1.12, "Schema Resolution") and JSON bears."""
