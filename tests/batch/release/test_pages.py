"""The files beside the rows: datasheet, chart, contract and lineage are right."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from batch.release.format.files import DATA, DATASHEET, DATASHEET_HTML, MANIFEST, STARTER
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import SCHEMA, json_rows
from batch.release.pages.chart import ShareGroup, SharePair, draw_shares
from batch.release.pages.markup import Block, Grid, Heading, Text, render_html, render_markdown
from tests.partners.environment import Partners


@pytest.fixture(scope="module")
def release_folder(published_release: Path) -> Path:
    """The folder of a published release."""
    return published_release / "support" / "1.0.0"


def test_the_datasheet_says_what_matters(release_folder: Path) -> None:
    """Content, choice, labels, segments, power, personal data, gaps and origin, on both pages."""
    sheet, page = ((release_folder / name).read_text() for name in (DATASHEET, DATASHEET_HTML))
    for heading in (
        "What is in it",
        "How it was chosen",
        "Labels",
        "Segments against the traces that it speaks for",
        "What difference it can show",
        "Personal data",
        "Known gaps",
        "Where it comes from",
    ):
        assert f"## {heading}" in sheet
        assert f"<h2>{heading}</h2>" in page
    assert "40 traces of production" in sheet
    assert "<svg" in page
    assert "http" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_numbers_of_the_datasheet_are_those_of_the_rows(release_folder: Path) -> None:
    """The counts by label and stratum in the datasheet match the data."""
    rows = json_rows(read_release_rows((release_folder / DATA).read_bytes()))
    sheet = (release_folder / DATASHEET).read_text()
    for label in ("pass", "fail"):
        count = sum(row["label"] == label for row in rows)
        assert re.search(rf"^\| {label} \| {count} \|", sheet, re.MULTILINE)
    traces = json.loads((release_folder / MANIFEST).read_text())["population"]["traces"]
    assert f"{traces} traces could be drawn" in sheet


def test_the_starter_is_of_the_development_side_and_of_every_stratum(release_folder: Path) -> None:
    """The starter set has no row of the holdout."""
    rows = [json.loads(line) for line in (release_folder / STARTER).read_text().splitlines()]
    assert rows
    assert {row["split"] for row in rows} == {"development"}
    every = json_rows(read_release_rows((release_folder / DATA).read_bytes()))
    strata = {row["stratum"] for row in every if row["split"] == "development"}
    assert {row["stratum"] for row in rows} == strata


def test_the_picture_is_drawn_to_scale_and_escapes() -> None:
    """The lengths of bars match the shares, and a value cannot break out of the chart."""
    svg = draw_shares([ShareGroup("plan", [SharePair("<script>", 0.5, 0.25)])], "t & t")
    tree = ET.fromstring(svg)  # noqa: S314 - our own
    bars = [float(r.get("width", "0")) for r in tree.iter("{http://www.w3.org/2000/svg}rect")]
    assert bars[-2] == pytest.approx(2 * bars[-1], abs=0.2)
    assert "<script>" not in svg


def test_pages_escape_what_they_quote() -> None:
    """Names of segments come from production: they cannot add markup, cells or scripts."""
    blocks: list[Block] = [
        Heading("h"),
        Text("`a<b` <i>x</i>"),
        Grid(("a", "b"), [("x|y", "<b>1</b>")]),
    ]
    page, sheet = render_html("t<", blocks), render_markdown(blocks)
    assert "<i>" not in page
    assert "<b>1" not in page
    assert "<code>a&lt;b</code>" in page
    assert "x\\|y" in sheet
    assert "\\<i\\>" in sheet


def test_the_contract_lists_every_column(release_folder: Path) -> None:
    """ODCS 3.1.0: each column with its type, and the class of personal data where it has one."""
    contract = yaml.safe_load((release_folder / "contract.yaml").read_text())
    assert (contract["apiVersion"], contract["kind"]) == ("v3.1.0", "DataContract")
    columns = {p["name"]: p for p in contract["schema"][0]["properties"]}
    assert list(columns) == SCHEMA.names
    assert columns["user_id"]["classification"] == "pseudonymize"
    assert columns["weight"]["logicalType"] == "number"


def test_the_contract_is_read_by_the_standard_s_own_model(
    release_folder: Path, partners: Partners, tmp_path: Path
) -> None:
    """The package of the standard reads version and columns."""
    read = partners.run("read_contract.py", release_folder / "contract.yaml", cwd=tmp_path)
    assert read == {"version": "1.0.0", "columns": SCHEMA.names}


def test_the_lineage_names_the_versions_that_were_read(release_folder: Path) -> None:
    """OpenLineage: both tables as inputs at their versions, the release as output."""
    event = json.loads((release_folder / "lineage.json").read_text())
    manifest = json.loads((release_folder / MANIFEST).read_text())
    versions = {one["name"]: one["facets"]["version"]["datasetVersion"] for one in event["inputs"]}
    assert versions == {name: str(pin["version"]) for name, pin in manifest["lake"].items()}
    assert event["outputs"][0]["name"] == "releases/support"
    assert event["eventTime"] == max(pin["as_of"] for pin in manifest["lake"].values())
