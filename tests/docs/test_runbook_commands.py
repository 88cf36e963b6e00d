"""The commands of the runbooks run, and what they name in Kubernetes is in the manifests."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldpan.cli.main import run_command
from tests.architecture.source import ROOT
from tests.batch.release.world import conversations, labels_for, make_lake
from tests.deploy.kustomize import built
from tests.docs.pages import code_blocks
from tests.servers.worker import TEST_KEY

RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
PAGES = [str(page.relative_to(ROOT)) for page in RUNBOOKS]
LINES = [
    line.partition(" #")[0].strip()
    for page in [*PAGES, "docs/deploy.md"]
    for block in code_blocks(page)
    if block.language == "sh"
    for line in block.text.splitlines()
]
SPEC = """\
name: support
window: {from: 2026-11-01, to: 2026-12-01}
size: 40
strata: [label]
labels: {accept: [pass, fail, unknown, none]}
allocation: {by: proportional}
redaction_policies: any
seed: 1
"""
OBJECT = re.compile(r"\b(deployment|deploy|cronjob)[/ ](goldpan-[\w-]+)")
LABEL = re.compile(r"-l (app\.kubernetes\.io/\w+)=([\w-]+)")


@pytest.fixture(scope="module")
def _runbook_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A lake with traces, labels and a release, and a file of texts, where commands are typed."""
    folder = tmp_path_factory.mktemp("runbooks")
    traces = conversations(2)
    make_lake(folder / "lake", traces, labels_for(traces))
    (folder / "similar.jsonl").write_text('"My name is Ann Lee."\n')
    (folder / "support.yaml").write_text(SPEC)
    with pytest.MonkeyPatch.context() as env:
        env.chdir(folder)
        env.setenv("GOLDPAN_LAKE__URI", "lake")
        env.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)
        assert run_command(["lake", "init"]) == 0
        assert run_command(["release", "build", "support.yaml"]) == 0
        yield


@pytest.mark.usefixtures("_runbook_lake")
@pytest.mark.parametrize(
    "command", sorted({line for line in LINES if line.startswith("goldpan ")}), ids=str
)
def test_a_command_of_a_runbook_answers(command: str) -> None:
    """With "yes" or "no"; none is used wrongly, and none fails."""
    assert run_command(command.split()[1:]) in {0, 1}


@pytest.mark.parametrize(
    "line", sorted({line for line in LINES if line.startswith("kubectl ")}), ids=str
)
def test_what_kubectl_is_asked_for_is_there(line: str) -> None:
    """Deployments, jobs and labels that a line names are those of the manifests."""
    manifests = built("aws")
    kinds = {"deployment": "Deployment", "deploy": "Deployment", "cronjob": "CronJob"}
    there = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}
    assert {(kinds[kind], name) for kind, name in OBJECT.findall(line)} <= there
    for key, value in LABEL.findall(line):
        assert re.search(rf"'{re.escape(key)}': '{value}'", str(manifests)), line
    for folder in re.findall(r"-k (\S+)", line):
        assert (ROOT / Path(folder) / "kustomization.yaml").exists()
