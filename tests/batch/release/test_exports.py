"""Exports are read by the tools they are for."""

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
from tests.partners.environment import Partners
from tests.partners.promptfoo import Promptfoo

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


def written(rows: Rows, target: str, folder: Path) -> Path:
    """Write an export into a folder; return its one file, or the folder where it has several."""
    files = FORMATS[target](rows, "support", "1.0.0")
    for path, data in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
    return folder / next(iter(files)) if len(files) == 1 else folder


def test_huggingface_reads_the_folder(rows: Rows, partners: Partners, tmp_path: Path) -> None:
    """``load_dataset`` gives both sides, each row with its messages and weight."""
    folder = written(rows, "huggingface", tmp_path)
    loaded = partners.run("read_huggingface.py", folder, cwd=tmp_path)
    assert {name: len(part) for name, part in loaded.items()} == {
        side: sum(row["split"] == side for row in rows) for side in ("development", "holdout")
    }
    by_id = {row["trace_id"]: row for row in rows}
    for one in loaded["development"] + loaded["holdout"]:
        row = by_id[one["trace_id"]]
        assert one["weight"] == row["weight"]
        assert [m["content"] for m in one["messages"]] == [m["content"] for m in row["messages"]]


def test_mlflow_merges_the_records(rows: Rows, partners: Partners, tmp_path: Path) -> None:
    """An evaluation dataset takes every record once, with its expectations."""
    file = written(rows, "mlflow", tmp_path)
    records = partners.run("read_mlflow.py", file, cwd=tmp_path)
    messages = {json.dumps(row["messages"], sort_keys=True) for row in rows}
    assert len(records) == len(messages)
    assert "=so" in [known["expectations"].get("expected_response") for known in records]


def test_langfuse_takes_the_items(rows: Rows, partners: Partners, tmp_path: Path) -> None:
    """Every line is what ``create_dataset_item`` takes; ids are their own, so twice is once."""
    read = partners.run("read_langfuse.py", written(rows, "langfuse", tmp_path), cwd=tmp_path)
    assert read["unknown"] == []
    assert len({item["id"] for item in read["items"]}) == len(rows)


def test_langsmith_takes_the_examples(rows: Rows, partners: Partners, tmp_path: Path) -> None:
    """Every line is an example of its client, and no key of it is dropped."""
    read = partners.run("read_langsmith.py", written(rows, "langsmith", tmp_path), cwd=tmp_path)
    assert read["unknown"] == []
    for example, row in zip(read["examples"], rows, strict=True):
        assert example["inputs"] == {"messages": row["messages"]}
        assert example["split"] == row["split"]
    assert len({example["id"] for example in read["examples"]}) == len(rows)


HOSTILE = (
    "file://secret.txt",
    "{{ env.SECRET }} {{ 7 * 7 }} {% raw %} {# c #} {{{x}}} #} %} }}",
    "{% include 'secret.txt' %}",
    "package:secret:secret",
    "plain",
    "{",
)


def test_promptfoo_takes_texts_as_they_are(
    rows: Rows, promptfoo: Promptfoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No text is rendered as a template or opened as a file: what is rendered is what was said."""
    monkeypatch.setenv("SECRET", "sesame")
    (tmp_path / "secret.txt").write_text("sesame")
    said = [
        row | {"messages": [{"role": "user", "content": text}], "expected_response": text}
        for row, text in zip(rows, HOSTILE, strict=False)
    ]
    file = written(said, "promptfoo", tmp_path)
    cases = [json.loads(line) for line in file.read_text().splitlines()]
    for case in cases:
        case["assert"] = [one | {"type": "equals"} for one in case["assert"]]  # needs no model
    file.write_text("".join(f"{json.dumps(case)}\n" for case in cases))
    texts = promptfoo.evaluate(file, "{{expected_response}}")
    assert sorted(one["response"]["output"] for one in texts) == sorted(HOSTILE)
    assert all(one["success"] for one in texts)
    messages = promptfoo.evaluate(file, "{{messages}}")
    found = [json.loads(one["response"]["output"])[0]["content"] for one in messages]
    assert sorted(found) == sorted(HOSTILE)
    assert "sesame" not in json.dumps([texts, messages])


def test_promptfoo_has_variables_and_assertions(rows: Rows) -> None:
    """Variables are texts; only a row with an expected response asserts something."""
    found = lines(rows, "promptfoo")
    assert all(isinstance(value, str) for line in found for value in line["vars"].values())
    assert found[0]["assert"] == [{"type": "similar", "value": "{{ '' }}=so"}]
    assert not any(line["assert"] for line in found[1:])
