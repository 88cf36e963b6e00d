"""The export formats: converts a release for other tools. The release stays authoritative.

Each format is a function from rows to files. The fields are those of the tools' import calls. Ids
are derived from release and trace, so that importing twice changes nothing.
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
from batch.release.format.rows import SALT, ReleaseRow, release_schema, said_expectations

Rows: TypeAlias = Sequence[ReleaseRow]

_METADATA_KEYS: Final = (
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
    """Write a dataset folder: a Parquet file for each split, and the card that lists them."""
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
        "Traces of production. The column `weight` is the number of traces that a row represents, "
        "of those that the release speaks for (the datasheet names them): use it for estimates of "
        "these, which are not failure rates of all traffic. Rows with a `generator` are synthetic "
        "and represent none. `segments` and `attributes` are JSON text. The datasheet of the "
        "release describes how it was drawn and what it cannot show.\n"
    )
    return files | {"README.md": card.encode()}


def _size(rows: int) -> str:
    for limit, category in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")):
        if rows < limit:
            return category
    return "100K<n<1M"


def _plain_parquet(rows: Rows) -> bytes:
    """Write rows with maps as JSON text, since the datasets library does not read maps."""
    fields = [
        pa.field(f.name, pa.string()) if pa.types.is_map(f.type) else f
        for f in release_schema([*rows[0]] if rows else [])
        if f.name != SALT
    ]
    values: Sequence[Mapping[str, object]] = rows
    columns = [
        pa.array([_map_as_text(row[f.name], f) for row in values], _json_type(f.type)).cast(f.type)
        for f in fields
    ]
    sink = pa.BufferOutputStream()
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _json_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column's JSON values: times are text in JSON."""
    return pa.string() if pa.types.is_timestamp(kind) else kind


def _map_as_text(value: object, field: pa.Field) -> object:
    is_text = pa.types.is_string(field.type)
    return canonical_text(value) if is_text and isinstance(value, dict) else value


def _mlflow(rows: Rows, name: str, version: str) -> dict[str, bytes]:
    """Write records for `mlflow.genai.datasets`: `merge_records` accepts them unchanged.

    It keeps one record for all with the same inputs, so the trace id is one of these.
    """
    source = f"goldpan:{name}@{version}"
    return {
        f"{name}.mlflow.jsonl": encode_jsonl(
            [
                {
                    "inputs": {"trace_id": row["trace_id"], "messages": row["messages"]},
                    "outputs": {"response": row["response"]},
                    "expectations": _expected(row),
                    "tags": {k: str(v) for k, v in _metadata(row).items() if v is not None},
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
    """Write arguments of `create_dataset_item`, one object per line."""
    return {
        f"{name}.langfuse.jsonl": encode_jsonl(
            [
                {
                    "dataset_name": name,
                    "id": _id(name, row),
                    "input": {"messages": row["messages"]},
                    "expected_output": row["expected_response"],
                    "metadata": _metadata(row)
                    | {"release": version, "response": row["response"], **said_expectations(row)},
                }
                for row in rows
            ]
        )
    }


def _langsmith(rows: Rows, name: str, version: str) -> dict[str, bytes]:
    """Write examples for `Client.create_examples`, one object per line."""
    return {
        f"{name}.langsmith.jsonl": encode_jsonl(
            [
                {
                    "id": _id(name, row),
                    "inputs": {"messages": row["messages"]},
                    "reference_outputs": _expected(row),
                    "metadata": _metadata(row) | {"release": version, "response": row["response"]},
                    "split": row["split"],
                }
                for row in rows
            ]
        )
    }


def _promptfoo(rows: Rows, name: str, version: str) -> dict[str, bytes]:
    """Write test cases for `tests: file://….jsonl`; an expected response becomes an assertion.

    promptfoo renders every text as a template and opens texts that begin with ``file://``: a user's
    message could show environment variables to the model. So both are broken up here. It identifies
    a test by its variables (``--filter-failing``), so the trace id is one of these.
    """
    return {
        f"{name}.promptfoo.jsonl": encode_jsonl([_test_case(row, name, version) for row in rows])
    }


def _test_case(row: ReleaseRow, name: str, version: str) -> dict[str, Any]:
    expected = _plain_template(row["expected_response"] or "")
    return {
        "description": f"{name}@{version} {row['trace_id']}",
        "vars": {
            "trace_id": _plain_template(row["trace_id"]),
            "messages": _plain_json(canonical_text(row["messages"])),
            "expected_response": expected,
        },
        "assert": [{"type": "similar", "value": expected}] if expected else [],
        "metadata": _metadata(row) | said_expectations(row),
    }


_TAG_BRACES: Final = re.compile(r"\{(?=[{%#])|(?<=#)\}")
"""The braces that begin or end a tag of Nunjucks."""


def _plain_template(text: str) -> str:
    """Return a template that renders as ``text``."""
    if not text:
        return text
    # The prefix also keeps it from being the address of a file.
    return "{{ '' }}" + _TAG_BRACES.sub(lambda brace: f"{{{{ '{brace[0]}' }}}}", text)


def _plain_json(text: str) -> str:
    """Return the same JSON without tags, which can only be in its strings."""
    return _TAG_BRACES.sub(lambda brace: f"\\u{ord(brace[0]):04x}", text)


def _expected(row: ReleaseRow) -> dict[str, object]:
    expected = {
        "expected_response": row["expected_response"],
        "label": row["label"],
    }
    said = {key: value for key, value in expected.items() if value is not None}
    return said | said_expectations(row)


def _metadata(row: ReleaseRow) -> dict[str, object]:
    values: Mapping[str, object] = row
    return {key: values[key] for key in _METADATA_KEYS}


def _id(name: str, row: ReleaseRow) -> str:
    return str(uuid5(RELEASE_NAMESPACE, f"{name}/{row['trace_id']}"))


_Writer: TypeAlias = Callable[[Rows, str, str], dict[str, bytes]]


def _storable(write: _Writer) -> _Writer:
    """Return a writer for a tool that stores rows in a database.

    PostgreSQL stores no text with U+0000 (nor JSON with its escape), so one of them would abort an
    import. It becomes U+FFFD.
    """
    return lambda rows, name, version: write(list(map(without_null, rows)), name, version)


def without_null(value: Any) -> Any:
    """Return a JSON value with U+FFFD for U+0000 in its texts."""
    if isinstance(value, str):
        return value.replace(NULL, REPLACED)
    if isinstance(value, list):
        return list(map(without_null, value))
    if isinstance(value, dict):
        return {without_null(key): without_null(item) for key, item in value.items()}
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
"""The formats by name. Each maps the rows, name and version of a release to files by path."""


_LOSSLESS: Final = frozenset({"jsonl", "huggingface"})
"""The formats that keep every character of the release."""


def export_remarks(target: str, rows: Rows) -> list[str]:
    """Return a sentence for each loss of an export in a tool."""
    with_null = 0 if target in _LOSSLESS else sum(without_null(row) != row for row in rows)
    remarks = []
    if with_null:
        remarks.append(
            f"rows with U+0000, written as U+FFFD since {target} may not store it: {with_null:,}"
        )
    if target != "csv":
        return remarks
    return remarks + [
        f"row {cell.row}, column {cell.column}: {cell.characters:,} characters; a spreadsheet cuts "
        f"cells at {LONGEST:,}"
        for cell in long_cells(rows)
    ]
