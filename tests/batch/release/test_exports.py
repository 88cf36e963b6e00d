"""Exports are read by the tools they are for.

The tools are too large for the environment of the other tests; where one is missing its test is
skipped: ``pip install mlflow langfuse langsmith datasets`` beside it and run this file again.
"""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from batch.release.exports import FORMATS
from batch.release.files import DATA
from batch.release.reading import read_rows
from batch.release.rows import json_rows

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def rows(published: Path) -> Rows:
    """The rows of a release, one of them with an expected response."""
    data = (published / "support" / "1.0.0" / DATA).read_bytes()
    found = json_rows(read_rows(data))
    found[0]["expected_response"] = "=so"
    return found


def lines(rows: Rows, target: str) -> Rows:
    """Return what an export of one file of JSON lines holds."""
    files = FORMATS[target](rows, "support", "1.0.0")
    (data,) = files.values()
    return [json.loads(line) for line in data.splitlines()]


def test_jsonl_holds_all_but_the_salt(rows: Rows) -> None:
    """Each line is a row as it is in the release."""
    assert lines(rows, "jsonl") == [{k: v for k, v in r.items() if k != "salt"} for r in rows]


def test_csv_is_read_back_and_runs_nothing(rows: Rows) -> None:
    """Texts that a spreadsheet would run get a quote before; nested values are JSON."""
    (data,) = FORMATS["csv"](rows, "support", "1.0.0").values()
    found = list(csv.DictReader(io.StringIO(data.decode())))
    assert [row["trace_id"] for row in found] == [row["trace_id"] for row in rows]
    assert json.loads(found[0]["messages"]) == rows[0]["messages"]
    assert found[0]["expected_response"] == "'=so"
    starts = {value[:1] for row in found for value in row.values()}
    assert not starts & {"=", "+", "@"}


def test_huggingface_reads_the_folder(rows: Rows, tmp_path: Path) -> None:
    """``load_dataset`` gives both sides, each row with its messages and weight."""
    datasets = pytest.importorskip("datasets")
    for path, data in FORMATS["huggingface"](rows, "support", "1.0.0").items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    loaded = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in loaded.items()} == {
        side: sum(row["split"] == side for row in rows) for side in ("development", "holdout")
    }
    by_id = {row["trace_id"]: row for row in rows}
    one = loaded["development"][0]
    assert one["weight"] == by_id[one["trace_id"]]["weight"]
    assert [m["content"] for m in one["messages"]] == [
        m["content"] for m in by_id[one["trace_id"]]["messages"]
    ]


def test_mlflow_merges_the_records(rows: Rows, tmp_path: Path) -> None:
    """An evaluation dataset takes every record, with its expectations."""
    mlflow = pytest.importorskip("mlflow")
    genai = pytest.importorskip("mlflow.genai.datasets")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    dataset = genai.create_dataset(name="support")
    dataset.merge_records(lines(rows, "mlflow"))
    records = genai.get_dataset(dataset_id=dataset.dataset_id).to_df()
    messages = {json.dumps(row["messages"], sort_keys=True) for row in rows}
    assert len(records) == len(messages)
    expected = [known.get("expected_response") for known in records["expectations"]]
    assert "=so" in expected


def test_langfuse_takes_the_items(rows: Rows) -> None:
    """Every line is what ``create_dataset_item`` sends; ids are their own, so twice is once."""
    api = pytest.importorskip("langfuse.api")
    items = [api.CreateDatasetItemRequest(**_camel(line)) for line in lines(rows, "langfuse")]
    assert len({item.id for item in items}) == len(rows)


def _camel(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "dataset_name": line["dataset_name"],
        "id": line["id"],
        "input": line["input"],
        "expected_output": line["expected_output"],
        "metadata": line["metadata"],
    }


def test_langsmith_takes_the_examples(rows: Rows) -> None:
    """Every line is an example of its client, and no key of it is dropped."""
    schemas = pytest.importorskip("langsmith.schemas")
    for line, row in zip(lines(rows, "langsmith"), rows, strict=True):
        example = schemas.ExampleCreate(**line)
        assert str(example.id) == line["id"]
        assert example.inputs == {"messages": row["messages"]}
        assert example.split == row["split"]
        assert set(line) <= set(schemas.ExampleCreate.model_fields)


def test_promptfoo_has_variables_and_assertions(rows: Rows) -> None:
    """Variables are texts; only a row with an expected response asserts something."""
    found = lines(rows, "promptfoo")
    assert all(isinstance(value, str) for line in found for value in line["vars"].values())
    assert found[0]["assert"] == [{"type": "similar", "value": "=so"}]
    assert not any(line["assert"] for line in found[1:])
