"""The pages about running it say what is in the manifests, and repeat figures rightly."""

import re

import pytest

from tests.architecture.source import ROOT
from tests.deploy.kustomize import of_kind

DOCS = ROOT / "docs"


def _page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "figure"),
    [
        ("redaction.md", r"new messages, without the model \| \d+ \| (\d+) \|"),
        ("redaction.md", r"new messages, without the model \| \d+ \| \d+ \| (\d+) \|"),
        ("redaction.md", r"new messages, with it \(the default\) \| \d+ \| (\d+) \|"),
        ("redaction.md", r"new messages, with it \(the default\) \| \d+ \| \d+ \| (\d+) \|"),
        ("redaction.md", r"text never seen \| [\d.]+ \| [\d.]+ \| ([\d.]+) \|"),
        ("redaction.md", r"each with its history \| \d+ \| \d+ \| (\d+) \|"),
        ("decisions/0006-files-are-replaced-by-compare-and-swap.md", r"on S3: (\d+) requests"),
        ("labels.md", r"memory \| (\d+) bytes a trace in the window"),
    ],
)
def test_a_figure_is_that_of_its_page(source: str, figure: str) -> None:
    """`docs/capacity.md` repeats the figures of a benchmark on another page."""
    found = re.search(figure, _page(source))
    assert found, f"docs/{source} says it in other words now: mend docs/capacity.md too"
    assert re.search(rf"(?<![\d.]){re.escape(found[1])}(?![\d])", _page("capacity.md"))


def test_the_table_of_jobs_is_complete() -> None:
    """`docs/deploy.md` lists each CronJob with its account, and says which are suspended."""
    rows = re.findall(r"^\| `(goldpan-\w+)` \| ([^|]+) \| `([\w-]+)` \|", _page("deploy.md"), re.M)
    told = {name: ("suspended" in when, account) for name, when, account in rows}
    assert told == {
        job["metadata"]["name"]: (
            bool(job["spec"].get("suspend")),
            job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"],
        )
        for job in of_kind("aws", "CronJob")
    }


def test_the_table_of_accounts_is_complete() -> None:
    """`docs/security.md` lists each account."""
    told = set(re.findall(r"^\| `(goldpan-\w+)`", _page("security.md"), re.M))
    assert told == {account["metadata"]["name"] for account in of_kind("aws", "ServiceAccount")}


def test_folders_on_the_page_exist() -> None:
    """`docs/deploy.md` names folders and files that are there."""
    for name in re.findall(r"`(deploy/[\w/.-]+|compose\.yaml|tests/[\w/.]+)`", _page("deploy.md")):
        assert (ROOT / name).exists(), name
