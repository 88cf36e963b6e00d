"""Hypothesis strategies for any record that is valid under a contract."""

import sys
from typing import Any

from hypothesis import strategies as st

from schemas.contract import CONTRACTS, ContractField, FieldType
from schemas.record_batches import RecordKind
from schemas.records import INT64_MAX

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
"""Any text that is valid Unicode: without halves of surrogate pairs."""


def records(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Valid records of the contract ``name`` as dicts, with and without what may be left out."""
    fields = CONTRACTS[name].fields
    plain = _record(fields)
    return plain.map(_fit_value) if name == RecordKind.FEEDBACK else plain


def _record(fields: tuple[ContractField, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {field.name: _value(field) for field in fields if not field.has_default},
        optional={field.name: _value(field) for field in fields if field.has_default},
    )


def _value(field: ContractField) -> st.SearchStrategy[Any]:
    value = _present(field)
    return st.none() | value if field.nullable else value


def _present(field: ContractField) -> st.SearchStrategy[Any]:
    match field.type:
        case FieldType.STRING:
            least, most = field.limits.min_length or 0, field.limits.max_length or 40
            return TEXT.filter(lambda text: least <= len(text) <= most)
        case FieldType.LONG | FieldType.TIMESTAMP | FieldType.DOUBLE:
            return _number(field)
        case FieldType.ENUM:
            return st.sampled_from(field.symbols)
        case FieldType.RECORDS:
            return st.lists(_record(field.fields), max_size=3)
        case FieldType.MAP:
            return st.dictionaries(TEXT, TEXT, max_size=3)
        case _:
            return st.binary(max_size=20)


def _number(field: ContractField) -> st.SearchStrategy[Any]:
    limits = field.limits
    if field.type is FieldType.DOUBLE:
        largest = sys.float_info.max
        least = -largest if limits.minimum is None else limits.minimum
        most = largest if limits.maximum is None else limits.maximum
        return st.floats(least, most, allow_nan=False)
    most_long = INT64_MAX if limits.maximum is None else int(limits.maximum)
    return st.integers(int(limits.minimum or 0), most_long)


def _fit_value(feedback: dict[str, Any]) -> dict[str, Any]:
    """Bring the value of thumbs and ratings to what their kind allows."""
    value = feedback.get("value")
    if value is None:
        return feedback
    if feedback["kind"] == "thumbs":
        return {**feedback, "value": 1.0 if value > 0 else -1.0}
    if feedback["kind"] == "rating":
        return {**feedback, "value": min(abs(value), 1.0)}
    return feedback
