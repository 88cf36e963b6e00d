"""Exports are read by the tools that they are made for."""

import codecs
import csv
import io
import json
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from batch.release.export.formats import EXPORT_FORMATS, export_remarks
from batch.release.format.files import DATA
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import ReleaseRow, json_rows
from tests.partners.environment import Partners
from tests.partners.promptfoo import Promptfoo

Rows = list[ReleaseRow]
LINE_ENDS = "\x85\u2028\u2029\x0b\x1c"


@pytest.fixture(scope="module")
def export_rows(published_release: Path) -> Rows:
    """The rows of a release, one of them with an expected response, two that ask the same.

    Some texts hold what readers of lines take for the end of one.
    """
    data = (published_release / "support" / "1.0.0" / DATA).read_bytes()
    found = json_rows(read_release_rows(data))
    found[0]["expected_response"] = "=so"
    asked = found[0]["messages"][0]
    asked["role"], asked["content"] = "user", f"hello{LINE_ENDS}again"
    answers = (("pass", f"Good{LINE_ENDS}morning"), ("fail", "We are closed."))
    for row, (label, response) in zip(found, answers, strict=False):
        row["messages"], row["label"], row["response"] = [asked], label, response
    return found


def with_response(row: ReleaseRow, response: str) -> ReleaseRow:
    """Return a copy of a row with another response."""
    changed = deepcopy(row)
    changed["response"] = response
    return changed


def labels(told: Iterable[tuple[str, str]], rows: Rows) -> bool:
    """Return whether a tool has each row with its label, and nothing else."""
    return sorted(told) == sorted((row["trace_id"], row["label"]) for row in rows)


def lines(rows: Rows, target: str) -> list[dict[str, Any]]:
    """Return what an export of one file of JSON lines holds."""
    files = EXPORT_FORMATS[target](rows, "support", "1.0.0")
    (data,) = files.values()
    return [json.loads(line) for line in data.splitlines()]


@pytest.mark.parametrize("target", ["jsonl", "mlflow", "langfuse", "langsmith", "promptfoo"])
def test_every_line_reader_counts_the_same_lines(export_rows: Rows, target: str) -> None:
    """No text contains what a reader takes for the end of a line, and no text is changed."""
    (data,) = EXPORT_FORMATS[target](export_rows, "support", "1.0.0").values()
    assert len(data.decode().splitlines()) == data.count(b"\n") == len(export_rows)
    assert [json.loads(line) for line in data.decode().splitlines()] == lines(export_rows, target)


def test_jsonl_holds_all_but_the_salt(export_rows: Rows) -> None:
    """Each line is a row as it is in the release."""
    assert lines(export_rows, "jsonl") == [
        {k: v for k, v in r.items() if k != "salt"} for r in export_rows
    ]


def test_csv_is_read_back_and_executes_nothing(export_rows: Rows) -> None:
    """Texts that a spreadsheet would execute get a leading quote; nested values are JSON."""
    (data,) = EXPORT_FORMATS["csv"](export_rows, "support", "1.0.0").values()
    assert data.startswith(codecs.BOM_UTF8)
    found = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert [row["trace_id"] for row in found] == [row["trace_id"] for row in export_rows]
    assert json.loads(found[0]["messages"]) == export_rows[0]["messages"]
    assert found[0]["expected_response"] == "'=so"
    starts = {value[:1] for row in found for value in row.values()}
    assert not starts & {"=", "+", "@"}


@pytest.mark.parametrize(
    "text",
    [
        "\n=SUM(A1:A9)",
        "\uff1dSUM(A1:A9)",
        " \u200b\uff0b1",
        "\ufeff@SUM(1)",
        "\t-1",
        "\ufe632",
        "\x00=1",
    ],
)
def test_no_cell_begins_as_a_formula(export_rows: Rows, text: str) -> None:
    """White space, characters without width and full-width signs hide no formula."""
    (data,) = EXPORT_FORMATS["csv"](
        [with_response(export_rows[0], text)], "support", "1.0.0"
    ).values()
    (found,) = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert found["response"] == f"'{text}".replace("\0", "\ufffd")


def test_cells_that_a_spreadsheet_cuts_are_reported(export_rows: Rows) -> None:
    """Cells that are too long are reported by row and column; other formats hold any text."""
    wide = [export_rows[0], with_response(export_rows[1], "x" * 42_000)]
    (remark,) = export_remarks("csv", wide)
    assert remark.startswith("row 3, column response: 42,000 characters")
    assert not export_remarks("mlflow", wide)


@pytest.mark.parametrize("target", ["csv", "mlflow", "langfuse", "langsmith", "promptfoo"])
def test_no_text_ends_at_a_null_or_stops_an_import(export_rows: Rows, target: str) -> None:
    """Databases reject U+0000, and readers of cells stop there; the export reports it."""
    holding = [with_response(export_rows[0], "a\0b"), *export_rows[1:]]
    holding[0]["messages"][0]["content"] = "cut\0here"
    (data,) = EXPORT_FORMATS[target](holding, "support", "1.0.0").values()
    assert b"\0" not in data
    if target != "csv":  # where nested values are JSON in a cell, and stay as they are
        assert b"u0000" not in data
    assert "cut" in data.decode()
    assert any("U+0000" in one for one in export_remarks(target, holding))
    assert not any("U+0000" in one for one in export_remarks(target, export_rows))


@pytest.mark.parametrize("target", ["jsonl", "huggingface"])
def test_lossless_formats_keep_each_character(export_rows: Rows, target: str) -> None:
    """Formats that replace nothing report nothing."""
    holding = [with_response(export_rows[0], "a\0b")]
    assert export_remarks(target, holding) == []
    if target == "jsonl":
        assert lines(holding, target)[0]["response"] == "a\0b"


def written(rows: Rows, target: str, folder: Path) -> Path:
    """Write an export into a folder; return its one file, or the folder where it has several."""
    files = EXPORT_FORMATS[target](rows, "support", "1.0.0")
    for path, data in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
    return folder / next(iter(files)) if len(files) == 1 else folder


def test_huggingface_reads_the_folder(
    export_rows: Rows, partners: Partners, tmp_path: Path
) -> None:
    """``load_dataset`` gives both sides, each row with its messages and weight."""
    folder = written(export_rows, "huggingface", tmp_path)
    loaded = partners.run("read_huggingface.py", folder, cwd=tmp_path)
    assert {name: len(part) for name, part in loaded.items()} == {
        side: sum(row["split"] == side for row in export_rows)
        for side in ("development", "holdout")
    }
    by_id = {row["trace_id"]: row for row in export_rows}
    for one in loaded["development"] + loaded["holdout"]:
        row = by_id[one["trace_id"]]
        assert one["weight"] == row["weight"]
        assert [m["content"] for m in one["messages"]] == [m["content"] for m in row["messages"]]
    everything = loaded["development"] + loaded["holdout"]
    assert labels(((one["trace_id"], one["label"]) for one in everything), export_rows)


def test_mlflow_merges_the_records(export_rows: Rows, partners: Partners, tmp_path: Path) -> None:
    """An evaluation dataset accepts every record once, with its expectations."""
    file = written(export_rows, "mlflow", tmp_path)
    partners.make_mlflow_database(tmp_path)
    records = partners.run("read_mlflow.py", file, cwd=tmp_path)
    told = [(one["inputs"]["trace_id"], one["expectations"]["label"]) for one in records]
    assert labels(told, export_rows)
    assert "=so" in [known["expectations"].get("expected_response") for known in records]


def test_langfuse_takes_the_items(export_rows: Rows, partners: Partners, tmp_path: Path) -> None:
    """Every line fits ``create_dataset_item``; ids are stable, so importing twice adds nothing."""
    read = partners.run(
        "read_langfuse.py", written(export_rows, "langfuse", tmp_path), cwd=tmp_path
    )
    assert read["unknown"] == []
    by_id = {item["id"]: item["metadata"] for item in read["items"]}
    assert labels(((told["trace_id"], told["label"]) for told in by_id.values()), export_rows)


def test_langsmith_takes_the_examples(
    export_rows: Rows, partners: Partners, tmp_path: Path
) -> None:
    """Every line is an example of its client, and no key of it is dropped."""
    read = partners.run(
        "read_langsmith.py", written(export_rows, "langsmith", tmp_path), cwd=tmp_path
    )
    assert read["unknown"] == []
    for example, row in zip(read["examples"], export_rows, strict=True):
        assert example["inputs"] == {"messages": row["messages"]}
        assert example["split"] == row["split"]
    by_id = {
        one["id"]: (
            one["metadata"]["trace_id"],
            one["reference_outputs"]["label"]
            if "reference_outputs" in one
            else one["outputs"]["label"],
        )
        for one in read["examples"]
    }
    assert labels(by_id.values(), export_rows)


HOSTILE = (
    "file://secret.txt",
    "{{ env.SECRET }} {{ 7 * 7 }} {% raw %} {# c #} {{{x}}} #} %} }}",
    "{% include 'secret.txt' %}",
    "package:secret:secret",
    "plain",
    "{",
)


def test_promptfoo_takes_texts_as_they_are(
    export_rows: Rows, promptfoo: Promptfoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No text is rendered as a template or opened as a file: the output is the original text."""
    monkeypatch.setenv("SECRET", "sesame")
    (tmp_path / "secret.txt").write_text("sesame")
    hostile = deepcopy(export_rows[: len(HOSTILE)])
    for row, text in zip(hostile, HOSTILE, strict=False):
        row["messages"] = [{**row["messages"][0], "role": "user", "content": text}]
        row["expected_response"] = text
    file = written(hostile, "promptfoo", tmp_path)
    cases = [json.loads(line) for line in file.read_text().splitlines()]
    for case in cases:
        case["assert"] = [one | {"type": "equals"} for one in case["assert"]]  # needs no model
    file.write_text("".join(f"{json.dumps(case)}\n" for case in cases))
    texts = promptfoo.evaluate(file, "{{expected_response}}")
    assert sorted(one["response"]["output"] for one in texts) == sorted(HOSTILE)
    assert all(one["success"] for one in texts)
    known = {json.dumps(one["vars"], sort_keys=True) for one in texts}
    assert len(known) == len(hostile)  # promptfoo identifies a test by these
    messages = promptfoo.evaluate(file, "{{messages}}")
    found = [json.loads(one["response"]["output"])[0]["content"] for one in messages]
    assert sorted(found) == sorted(HOSTILE)
    assert "sesame" not in json.dumps([texts, messages])


def test_promptfoo_has_variables_and_assertions(export_rows: Rows) -> None:
    """Variables are texts; only a row with an expected response asserts something."""
    found = lines(export_rows, "promptfoo")
    assert all(isinstance(value, str) for line in found for value in line["vars"].values())
    assert found[0]["assert"] == [{"type": "similar", "value": "{{ '' }}=so"}]
    assert not any(line["assert"] for line in found[1:])
