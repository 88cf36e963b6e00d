"""Releases in the import formats of other tools. A release is the truth; these are copies of it.

Each format is a function from rows (JSON values) to files. The fields are those of the tools'
import calls; ids are derived from release and trace, so that importing twice changes nothing.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from uuid import uuid5

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from batch.release.export.spreadsheet import (
    LONGEST,
    NULL,
    REPLACED,
    canonical_text,
    csv_bytes,
    long_cells,
)
from batch.release.format.contract import RELEASE_NAMESPACE
from batch.release.format.files import encode_jsonl
from batch.release.format.rows import SALT, SCHEMA

Row: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = Sequence[Row]

_ABOUT: Final = (
    "trace_id",
    "session_id",
    "app",
    "label",
    "confidence",
    "drawn",
    "generator",
    "split",
    "stratum",
    "weight",
    "inclusion_probability",
    "model_version",
    "prompt_version",
)


def _jsonl(rows: Rows, name: str, version: str) -> dict[str, bytes]:
    del version
    return {
        f"{name}.jsonl": encode_jsonl([{k: v for k, v in r.items() if k != SALT} for r in rows])
    }


def _csv(rows: Rows, name: str, version: str) -> dict[str, bytes]:
    del version
    return {f"{name}.csv": csv_bytes(rows)}


def _huggingface(rows: Rows, name: str, version: str) -> dict[str, bytes]:
    """Write a dataset folder: a Parquet file for each side, and the card that names them."""
    sides = sorted({row["split"] for row in rows})
    files = {
        f"data/{side}.parquet": _plain_parquet([row for row in rows if row["split"] == side])
        for side in sides
    }
    head = {
        "pretty_name": f"{name} {version}",
        "size_categories": [_size(len(rows))],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": s, "path": f"data/{s}.parquet"} for s in sides],
            }
        ],
    }
    card = (
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n# {name} {version}\n\n"
        "Traces of production. The column `weight` says how many traces a row stands for, of those "
        "that the release speaks for (the datasheet names them): use it for estimates of these, "
        "which are no failure rates of all traffic; rows with a `generator` are synthetic and "
        "stand for none. `segments` and `attributes` are JSON text. The "
        "datasheet of the release says how it was drawn and what it cannot tell.\n"
    )
    return files | {"README.md": card.encode()}


def _size(rows: int) -> str:
    for limit, told in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")):
        if rows < limit:
            return told
    return "100K<n<1M"


def _plain_parquet(rows: Rows) -> bytes:
    """Write rows without maps, which the datasets library does not read: they become JSON text."""
    fields = [
        pa.field(f.name, pa.string()) if pa.types.is_map(f.type) else f
        for f in SCHEMA
        if f.name != SALT
    ]
    columns = [
        pa.array([_unmapped(row[f.name], f) for row in rows], _as_text(f.type)).cast(f.type)
        for f in fields
    ]
    sink = pa.BufferOutputStream()
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _as_text(kind: pa.DataType) -> pa.DataType:
    """Return the type in which JSON values of a column come: times are text in JSON."""
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _unmapped(value: Any, field: pa.Field) -> Any:
    is_text = pa.types.is_string(field.type)
    return canonical_text(value) if is_text and isinstance(value, dict) else value


def _mlflow(rows: Rows, name: str, version: str) -> dict[str, bytes]:
    """Write records for `mlflow.genai.datasets`: `merge_records` takes them as they are.

    It keeps one record for all that have the same inputs, so the trace id is one of these.
    """
    source = f"goldpan:{name}@{version}"
    return {
        f"{name}.mlflow.jsonl": encode_jsonl(
            [
                {
                    "inputs": {"trace_id": row["trace_id"], "messages": row["messages"]},
                    "outputs": {"response": row["response"]},
                    "expectations": _expected(row),
                    "tags": {k: str(v) for k, v in _about(row).items() if v is not None},
                    "source": {
                        "source_type": "DOCUMENT",
                        "source_data": {"doc_uri": f"{source}#{row['trace_id']}"},
                    },
                }
                for row in rows
            ]
        )
    }


def _langfuse(rows: Rows, name: str, version: str) -> dict[str, bytes]:
    """Write arguments of `create_dataset_item`, one object a line."""
    return {
        f"{name}.langfuse.jsonl": encode_jsonl(
            [
                {
                    "dataset_name": name,
                    "id": _id(name, row),
                    "input": {"messages": row["messages"]},
                    "expected_output": row["expected_response"],
                    "metadata": _about(row) | {"release": version, "response": row["response"]},
                }
                for row in rows
            ]
        )
    }


def _langsmith(rows: Rows, name: str, version: str) -> dict[str, bytes]:
    """Write examples for `Client.create_examples`, one object a line."""
    return {
        f"{name}.langsmith.jsonl": encode_jsonl(
            [
                {
                    "id": _id(name, row),
                    "inputs": {"messages": row["messages"]},
                    "reference_outputs": _expected(row),
                    "metadata": _about(row) | {"release": version, "response": row["response"]},
                    "split": row["split"],
                }
                for row in rows
            ]
        )
    }


def _promptfoo(rows: Rows, name: str, version: str) -> dict[str, bytes]:
    """Write test cases for `tests: file://….jsonl`; an expected response becomes an assertion.

    promptfoo renders every text as a template and opens what begins with ``file://``: a user's
    message could show environment variables to the model. So both are taken apart here. It knows a
    test again by its variables (``--filter-failing``), so the trace id is one of these.
    """
    return {
        f"{name}.promptfoo.jsonl": encode_jsonl([_test_case(row, name, version) for row in rows])
    }


def _test_case(row: Row, name: str, version: str) -> dict[str, Any]:
    expected = _plain_template(row["expected_response"] or "")
    return {
        "description": f"{name}@{version} {row['trace_id']}",
        "vars": {
            "trace_id": _plain_template(row["trace_id"]),
            "messages": _plain_json(canonical_text(row["messages"])),
            "expected_response": expected,
        },
        "assert": [{"type": "similar", "value": expected}] if expected else [],
        "metadata": _about(row),
    }


_OF_TEMPLATES: Final = re.compile(r"\{(?=[{%#])|(?<=#)\}")
"""The braces that make or end what Nunjucks takes for a tag."""


def _plain_template(text: str) -> str:
    """Return a template that is rendered as ``text``."""
    if not text:
        return text
    # Not at the beginning, so that it is no address of a file either.
    return "{{ '' }}" + _OF_TEMPLATES.sub(lambda brace: f"{{{{ '{brace[0]}' }}}}", text)


def _plain_json(text: str) -> str:
    """Return the same JSON without tags; outside of its strings there can be none."""
    return _OF_TEMPLATES.sub(lambda brace: f"\\u{ord(brace[0]):04x}", text)


def _expected(row: Row) -> dict[str, Any]:
    known = {"expected_response": row["expected_response"], "label": row["label"]}
    return {key: value for key, value in known.items() if value is not None}


def _about(row: Row) -> dict[str, Any]:
    return {key: row[key] for key in _ABOUT}


def _id(name: str, row: Row) -> str:
    return str(uuid5(RELEASE_NAMESPACE, f"{name}/{row['trace_id']}"))


_Writer: TypeAlias = Callable[[Rows, str, str], dict[str, bytes]]


def _storable(write: _Writer) -> _Writer:
    """Return a writer for a tool that keeps rows in a database.

    PostgreSQL holds no text with U+0000 (nor JSON with its escape), so a single one would be the
    end of an import. It becomes U+FFFD.
    """
    return lambda rows, name, version: write(list(map(_without_null, rows)), name, version)


def _without_null(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(NULL, REPLACED)
    if isinstance(value, list):
        return list(map(_without_null, value))
    if isinstance(value, dict):
        return {_without_null(key): _without_null(one) for key, one in value.items()}
    return value


EXPORT_FORMATS: Final[Mapping[str, _Writer]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "huggingface": _huggingface,
    "mlflow": _storable(_mlflow),
    "langfuse": _storable(_langfuse),
    "langsmith": _storable(_langsmith),
    "promptfoo": _storable(_promptfoo),
}
"""The formats by name; each gives files by path, for rows, name and version of a release."""


_EXACT: Final = frozenset({"jsonl", "huggingface"})
"""The formats whose texts are those of the release, to the character."""


def export_remarks(target: str, rows: Rows) -> list[str]:
    """Return what a tool will not hold of an export, a sentence each."""
    with_null = 0 if target in _EXACT else sum(_without_null(row) != row for row in rows)
    noted = []
    if with_null:
        noted.append(
            f"rows with U+0000, which is U+FFFD here since {target} may not hold it: {with_null:,}"
        )
    if target != "csv":
        return noted
    return noted + [
        f"row {one.row}, column {one.column}: {one.characters:,} characters; a spreadsheet cuts "
        f"cells at {LONGEST:,}"
        for one in long_cells(rows)
    ]
