"""The alerts: each is right, is tested, and has a runbook."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from batch.lake_metrics import LAKE_GAUGES as GAUGES
from batch.reviews.review_export import queue_stats_prometheus
from labels.queue_stats import QueueStats
from stream.metrics import WORKER_METRICS, MetricKind
from tests.architecture.source import ROOT
from tests.deploy.kustomize import of_kind
from tests.deploy.prometheus import promtool
from tests.deploy.promql import grouped_labels, matched_labels, metrics
from tests.servers.fixtures import missing
from tests.servers.unavailable import ServerUnavailableError

FOLDER = ROOT / "deploy" / "observability"
RUNBOOKS = ROOT / "docs" / "runbooks"
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
UNIT_TESTS = ("rules_test.yaml", "rules_slow_test.yaml")

SPARING = {"GOMAXPROCS": "1", "GOGC": "400"}
"""For Go: its collector would take a third of the time of many short tests."""

OUTSIDE = re.compile(r"kube_(cronjob|job|pod)_\w+|up")
"""Metrics of kube-state-metrics, for jobs and restarts, and of Prometheus itself."""

TARGET_LABELS = {"namespace", "pod", "instance", "job"}
"""Labels that Prometheus adds to what it scrapes."""


def known_metrics() -> dict[str, set[str]]:
    """Return every series of a worker, the queue and the lake by name, with its labels."""
    found = {}
    for spec in WORKER_METRICS:
        labels = set(spec.labels) | TARGET_LABELS
        if spec.kind is MetricKind.HISTOGRAM:
            found[f"{spec.name}_bucket"] = labels | {"le"}
            found |= {f"{spec.name}_{part}": labels for part in ("count", "sum")}
        else:
            found[spec.name] = labels
    gauges = {spec.name: {spec.label} if spec.label else set[str]() for spec in GAUGES}
    of_the_lake = {name: labels | TARGET_LABELS for name, labels in gauges.items()}
    return found | _metrics_of_the_queue() | of_the_lake


def _metrics_of_the_queue() -> dict[str, set[str]]:
    """What `goldpan review stats` writes."""
    numbers: dict[str, Any] = dict.fromkeys(QueueStats._fields, 1)
    numbers |= {"open_by_arm": {}, "alpha": 1.0}
    text = queue_stats_prometheus(QueueStats(**numbers)).decode()
    found = {}
    for family in text_string_to_metric_families(text):
        labels = {label for sample in family.samples for label in sample.labels}
        found[family.name] = labels | TARGET_LABELS
    return found


def _promtool(*arguments: str) -> None:
    try:
        command = [promtool(), *arguments]
    except ServerUnavailableError as why:
        missing("prometheus", why)
    done = subprocess.run(
        command,
        cwd=FOLDER,
        env={**os.environ, **SPARING},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_rules() -> None:
    """The rules are well-formed."""
    _promtool("check", "rules", "rules.yaml")


def test_the_unit_tests_of_the_rules_pass() -> None:
    """Each alert fires when it should, and only then."""
    _promtool("test", "rules", *UNIT_TESTS)


def _unit_tests() -> list[dict[str, Any]]:
    return [
        test for name in UNIT_TESTS for test in yaml.safe_load((FOLDER / name).read_text())["tests"]
    ]


def test_every_alert_is_seen_firing() -> None:
    """No alert without a unit test in which it fires, with labels and text."""
    fires, silent = set[str](), set[str]()
    for test in _unit_tests():
        for case in test.get("alert_rule_test", []):
            (fires if case["exp_alerts"] else silent).add(case["alertname"])
    assert fires == {rule["alert"] for rule in ALERTS}


def test_every_recording_rule_is_tested() -> None:
    """No recorded series whose value no test looks at."""
    asked = {
        name
        for test in _unit_tests()
        for case in test.get("promql_expr_test", [])
        for name in metrics(case["expr"])
    }
    assert RECORDED - asked == set()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule.get("record"))
def test_a_rule_asks_for_what_there_is(rule: dict[str, Any]) -> None:
    """Each metric is one of the worker's, recorded, or of kube-state-metrics, and so its labels."""
    known = known_metrics()
    for name in metrics(rule["expr"]):
        assert name in known or name in RECORDED or OUTSIDE.fullmatch(name), name
    for name, label in matched_labels(rule["expr"]):
        if name in known:
            assert label in known[name], (name, label)
    ours = set().union(*known.values()) | {"cronjob", "job_name", "container", "condition"}
    assert grouped_labels(rule["expr"]) <= ours


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_its_page(rule: dict[str, Any]) -> None:
    """It says how urgent it is and what is the matter, and names its runbook."""
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"
    assert rule["annotations"]["summary"]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_a_runbook_answers_the_same_questions(rule: dict[str, Any]) -> None:
    """What it means, how to look (with commands), what to do, whom to wake, when it is over."""
    text = (RUNBOOKS / f"{rule['alert']}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {rule['alert']}\n")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["What it means", "Look", "Do", "Wake somebody", "Over when"]
    assert f"severity: {rule['labels']['severity']}" in text
    look = text.partition("## Look")[2].partition("## Do")[0]
    assert "```" in look


def test_no_runbook_without_an_alert() -> None:
    """A page about an alert that is gone misleads."""
    pages = {file.stem for file in RUNBOOKS.glob("Goldpan*.md")}
    assert pages == {rule["alert"] for rule in ALERTS}
    index = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((Goldpan\w+)\.md\)", index)) == pages


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("Goldpan*.md")), ids=lambda page: page.stem)
def test_queries_on_a_page_ask_for_what_there_is(page: Path) -> None:
    """A runbook's queries name metrics that exist."""
    known = set(known_metrics()) | RECORDED
    named = set(re.findall(r"\bgoldpan[_:][a-z0-9_:]+", page.read_text(encoding="utf-8")))
    assert named <= known


def _period_hours(schedule: str) -> int:
    """How often a job runs: every hour, every day or every week."""
    _, hour, day, month, weekday = schedule.split()
    assert (day, month) == ("*", "*")
    if hour == "*":
        return 1
    return 24 if weekday == "*" else 7 * 24


def test_every_job_is_watched() -> None:
    """A job is late by its own measure: later than one run, and not before the next is missed."""
    (rule,) = (rule for rule in ALERTS if rule["alert"] == "GoldpanJobMissed")
    limits = re.findall(r'cronjob(=|!~)"([^"]+)"\} > (\d+) \* 3600', rule["expr"])
    named = {name: int(hours) for sign, name, hours in limits if sign == "="}
    ((others, rest),) = ((names, int(hours)) for sign, names, hours in limits if sign == "!~")
    assert set(others.split("|")) == set(named)
    jobs = [job for job in of_kind("aws", "CronJob") if not job["spec"].get("suspend")]
    for job in jobs:
        period = _period_hours(job["spec"]["schedule"])
        limit = named.get(job["metadata"]["name"], rest)
        assert period < limit <= 3 * period, job["metadata"]["name"]
    assert set(named) <= {job["metadata"]["name"] for job in jobs}
