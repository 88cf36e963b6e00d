"""Every piece of code on a page is run, or compared with what it names, by a test."""

import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, tracked_files
from tests.docs.pages import code_blocks, read_page

DRAWN = {"mermaid", "text"}
"""Diagrams: nothing runs them."""

TESTS = {
    "README.md": {
        "sh": "tests/docs/test_readme.py",
        "python": "tests/docs/test_readme.py",
        "json": "tests/docs/test_readme.py",
    },
    "docs/backup.md": {"sh": "tests/goldpan/test_backup_page.py"},
    "docs/deploy.md": {"sh": "tests/docs/test_runbook_commands.py"},
    "docs/drift.md": {"sh": "tests/batch/drift/test_drift.py"},
    "docs/erasure.md": {
        "sh": "tests/faults/test_erasure.py",
        "python": "tests/goldpan/test_erase_command.py",
    },
    "docs/gate.md": {
        "sh": "tests/goldpan/test_gate_command.py",
        "yaml": "tests/goldpan/test_gate_command.py",
        "json": "tests/goldpan/test_gate_command.py",
    },
    "docs/gate/exports.md": {
        "sh": "tests/goldpan/test_evaluation_export.py",
        "python": "tests/goldpan/test_evaluation_export.py",
    },
    "docs/judges.md": {
        "sh": "tests/goldpan/test_judge_commands.py",
        "yaml": "tests/goldpan/test_judge_commands.py",
        "json": "tests/goldpan/test_judge_commands.py",
    },
    **{
        f"docs/judges/{way}.md": {
            "sh": "tests/goldpan/test_judge_commands.py",
            "yaml": "tests/goldpan/test_judge_commands.py",
        }
        for way in ("chat", "check", "decision", "local")
    },
    "docs/labels.md": {"sh": "tests/batch/test_pages.py"},
    "docs/otel.md": {
        "sh": "tests/goldpan/test_otel_command.py",
        "yaml": "tests/e2e/test_otel_collector.py",
    },
    **{
        f"docs/otel/{product}.md": {"sh": "tests/docs/test_otel_pages.py"}
        for product in (
            "langfuse",
            "langsmith",
            "mlflow",
            "opentelemetry",
            "phoenix",
            "traceloop",
        )
    },
    "docs/proofs.md": {"sh": "tests/goldpan/test_verify_command.py"},
    "docs/query.md": {
        "shell": "tests/docs/test_query_page.py",
        "sql": "tests/docs/test_query_page.py",
        "python": "tests/docs/test_query_page.py",
    },
    "docs/redaction.md": {
        "sh": "tests/docs/test_redaction_page.py",
        "yaml": "tests/docs/test_redaction_page.py",
    },
    "docs/releases.md": {
        "sh": "tests/batch/release/test_command.py",
        "yaml": "tests/batch/release/test_command.py",
        "python": "tests/docs/test_releases_page.py",
        "sql": "tests/docs/test_releases_page.py",
        "json": "tests/goldpan/test_synthetic_rows.py",
    },
    "docs/replay.md": {
        "sh": "tests/goldpan/test_replay_page.py",
        "console": "tests/goldpan/test_replay_labels.py",
    },
    "docs/retention.md": {
        "sh": "tests/goldpan/test_retention_page.py",
        "yaml": "tests/goldpan/test_retention_page.py",
    },
    "docs/reviews.md": {"sh": "tests/batch/test_pages.py"},
    "docs/settings.md": {"toml": "tests/docs/test_redaction_page.py"},
    "docs/upgrade.md": {"sh": "tests/docs/test_upgrade_page.py"},
    "docs/warehouses.md": {"sh": "tests/goldpan/test_ddl_command.py"},
}
RUNBOOKS = {
    "sh": "tests/docs/test_runbook_commands.py",
    "promql": "tests/deploy/test_on_prometheus.py",
}
PAGES = [
    file.as_posix()
    for file in tracked_files()
    if file.suffix == ".md" and file.parts[0] in {"README.md", "CONTRIBUTING.md", "docs"}
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_nothing_that_no_test_runs(page: str) -> None:
    """Each language of code on a page has its test, which reads the page."""
    languages = {block.language for block in code_blocks(page)} - DRAWN
    tests = RUNBOOKS if page.startswith("docs/runbooks/") else TESTS.get(page, {})
    assert languages <= set(tests)
    for language in languages:
        text = (ROOT / tests[language]).read_text(encoding="utf-8")
        assert Path(page).name in text or page.startswith("docs/runbooks/"), tests[language]


def test_no_test_is_named_for_a_page_without_code() -> None:
    """The list above does not outlive the pages."""
    for page, tests in TESTS.items():
        assert {block.language for block in code_blocks(page)} - DRAWN == set(tests)


@pytest.mark.parametrize("page", PAGES)
def test_modules_and_tests_on_a_page_exist(page: str) -> None:
    """Each `python -m` names a module, each call of pytest a file."""
    text = " ".join(read_page(page).split())
    for module in re.findall(r"python -m ([\w.]+\w)", text):
        path = ROOT / module.replace(".", "/")
        assert module == "pytest" or path.with_suffix(".py").exists() or path.is_dir(), module
    for file in re.findall(r"python -m pytest (tests/[\w/.]+)", text):
        assert (ROOT / file).exists(), file
    for name in re.findall(r"python -m benchmarks (\w+)", text):
        assert (ROOT / "benchmarks" / f"{name}.py").exists(), name
    for file in re.findall(r"`(tests/[\w/.]+)`", text):
        assert (ROOT / file).exists(), file
