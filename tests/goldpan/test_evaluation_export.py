"""``goldpan evaluation export``, and the samples of docs/gate/exports.md with the tools' own SDKs.

Each sample runs twice in three folders: with a run that a gate decided, with one full of exotic
names, and with one that measured next to nothing.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from batch.gate.run_export import RUN_FORMATS, export_run
from goldpan.cli.main import run_command
from tests.batch.gate.exported import exotic_run, unmeasured_run
from tests.batch.gate.world import outputs, publish_release, verdicts, write_lines
from tests.docs.pages import code_blocks
from tests.partners.environment import Partners
from tests.partners.recorder import recording
from tests.partners.tool_replies import (
    LangfuseReplies,
    reply_as_langsmith,
    reply_as_wandb,
    wandb_summaries,
)
from tests.redact.light_policy import set_light_policy
from tests.servers.in_process import Run, runner, work_in

PAGE = "docs/gate/exports.md"
ROWS = 60
GATE = """\
gate: support-release
release: support@1
looks: 2
require:
  faithfulness: {at_least: 0.75, no_worse_than_baseline_by: 0.1}
  retrieval.hit_rate: {at_least: 0.80}
  latency_p95_ms: {at_most: 3500}
segments: {by: [app, segments.plan], min_rows: 10}
"""


class DecidedRun(NamedTuple):
    """A folder with a lake and a kept run, and what the gate printed of it."""

    folder: Path
    document: dict[str, Any]

    @property
    def name(self) -> str:
        """Return the name of the run."""
        return str(self.document["run"])


@pytest.fixture(scope="module")
def decided_run(tmp_path_factory: pytest.TempPathFactory) -> DecidedRun:
    """A run of a gate; only read."""
    folder = tmp_path_factory.mktemp("decided")
    publish_release(folder, ROWS)
    (folder / "gate.yaml").write_text(GATE, encoding="utf-8")
    write_lines(folder / "out.jsonl", outputs(ROWS, latency_ms=lambda number: 900 + 7 * number))
    write_lines(folder / "base.jsonl", outputs(ROWS, response="At ten."))
    both = [
        *verdicts("faithfulness", every=12, rows=ROWS),
        *verdicts("faithfulness", every=10, rows=ROWS, side="baseline"),
    ]
    write_lines(folder / "verdicts.jsonl", both)
    with pytest.MonkeyPatch.context() as patched:
        work_in(folder, patched)
        set_light_policy(folder, patched)
        sides = ["--candidate", "out.jsonl", "--baseline", "base.jsonl"]
        run_command(["gate", "gate.yaml", *sides, "--verdicts", "verdicts.jsonl"])
    (kept,) = (folder / "lake" / "evaluations").rglob("run.json")
    return DecidedRun(folder, json.loads(kept.read_text(encoding="utf-8")))


@pytest.fixture
def run_export(
    decided_run: DecidedRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run goldpan beside the kept run."""
    work_in(decided_run.folder, monkeypatch)
    return runner(capsys)


@pytest.mark.parametrize("target", RUN_FORMATS)
def test_a_kept_run_is_written_for_a_tool(
    run_export: Run, decided_run: DecidedRun, target: str, tmp_path: Path
) -> None:
    """To standard output, or to a file: the same bytes, and what they hold is said."""
    asked = ("evaluation", "export", decided_run.name, "--format", target)
    printed = run_export(*asked)
    assert (printed.returncode, printed.stderr) == (0, "")
    file = tmp_path / "run.json"
    said = json.loads(run_export(*asked, "--out", str(file), "--json").stdout)
    assert file.read_text(encoding="utf-8") == printed.stdout
    assert printed.stdout.encode() == export_run(target, decided_run.document)
    counts = {key: len(decided_run.document[key]) for key in ("requirements", "segments")}
    assert said == {
        "run": decided_run.name,
        "format": target,
        "file": str(file),
        "decision": decided_run.document["decision"],
        **counts,
    }
    text = " ".join(run_export(*asked, "--out", str(file)).stdout.split())
    assert f"for {target}: 4 requirements, " in text
    assert str(file) in text


def test_the_command_of_the_page_runs(
    run_export: Run, decided_run: DecidedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the name of a run that there is."""
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(decided_run.folder / "lake"))
    monkeypatch.chdir(tmp_path)
    (block,) = (block.text for block in code_blocks(PAGE) if block.language == "sh")
    command = block.replace("support-release/3f9a1c02b7d4/1", decided_run.name).split()
    assert run_export(*command[1:]).returncode == 0
    kept = export_run("mlflow", decided_run.document)
    assert Path("run.json").read_bytes() == kept


def test_a_run_that_cannot_be_exported_is_named(run_export: Run, decided_run: DecidedRun) -> None:
    """No such run, no name of a run, a series, a format that there is not: 2, and what to do."""
    series, _, _ = decided_run.name.rpartition("/")
    for name, words in (
        (f"{series}/7", "there is no run"),
        ("support-release/000000000000/1", "there is no run"),
        ("../lake", "reads GATE/SERIES/LOOK"),
        (series, f"its last one is {decided_run.name}"),
    ):
        ran = run_export("evaluation", "export", name, "--format", "mlflow")
        assert (ran.returncode, ran.stdout) == (2, "")
        assert words in ran.stderr
    ran = run_export("evaluation", "export", decided_run.name, "--format", "excel")
    assert ran.returncode == 2
    ran = run_export(
        "evaluation", "export", decided_run.name, "--format", "wandb", "--out", "no/run.json"
    )
    assert ran.returncode == 2
    assert "--out" in ran.stderr


def test_a_run_that_was_cut_off_is_not_exported(
    run_export: Run, decided_run: DecidedRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It has no checksums: its files may be of a program that was killed."""
    work_in(tmp_path, monkeypatch)
    folder = tmp_path / "lake" / "evaluations" / decided_run.name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(decided_run.document), encoding="utf-8")
    ran = run_export("evaluation", "export", decided_run.name, "--format", "mlflow")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "not complete" in ran.stderr


class SampleDesk:
    """Runs the sample of a tool twice in a folder for each run, with the documents of the runs."""

    def __init__(self, folder: Path, decided: DecidedRun) -> None:
        self._folder = folder
        self.runs = {"decided": decided.document, "exotic": exotic_run(), "bare": unmeasured_run()}

    def sent(self, target: str) -> dict[str, dict[str, Any]]:
        """Return what is written of each run for a tool."""
        return {name: json.loads(export_run(target, run)) for name, run in self.runs.items()}

    def run(self, partners: Partners, target: str) -> Any:
        """Run the sample of the page, and return what the script printed."""
        blocks = [block.text for block in code_blocks(PAGE) if block.language == "python"]
        (sample,) = (
            text for text in blocks if f"import {target}" in text or f"from {target}" in text
        )
        (self._folder / "sample.py").write_text(sample, encoding="utf-8")
        for name, run in self.runs.items():
            (self._folder / name).mkdir()
            (self._folder / name / "run.json").write_bytes(export_run(target, run))
        folders = [self._folder / name for name in self.runs]
        sample_file = self._folder / "sample.py"
        return partners.run("run_sample.py", target, sample_file, *folders, cwd=self._folder)


@pytest.fixture
def samples(tmp_path: Path, decided_run: DecidedRun) -> SampleDesk:
    """A desk in an empty folder."""
    return SampleDesk(tmp_path, decided_run)


def test_mlflow_has_equal_figures_once(
    partners: Partners, samples: SampleDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of each, with all metrics, parameters and tags, and one point in each history."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    partners.make_mlflow_database(tmp_path)
    kept = {
        each["name"] + each["tags"]["goldpan.digest"]: each
        for each in samples.run(partners, "mlflow")
    }
    assert len(kept) == len(samples.runs)
    for sent in samples.sent("mlflow").values():
        one = kept[sent["run_name"] + sent["tags"]["goldpan.digest"]]
        assert one["metrics"] == sent["metrics"]
        assert one["points"] == 1
        assert one["params"] == sent["params"]
        assert sent["tags"].items() <= one["tags"].items()
        assert json.loads(one["artifact"]) == sent["run"]
    decided = kept[samples.runs["decided"]["run"] + samples.runs["decided"]["digest"]]
    for each in samples.runs["decided"]["requirements"]:
        for field in ("estimate", "low", "high", "bar", "rows", "reviews", "mde"):
            assert decided["metrics"].get(f"{each['name']}/{field}") == each[field]


def test_weights_and_biases_has_equal_figures_once(
    judge_partners: Partners, samples: SampleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written offline, and read from the written folders by its own command, which sends them."""
    with recording(reply_as_wandb) as recorder:
        monkeypatch.setenv("WANDB_BASE_URL", recorder.address)
        monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
        samples.run(judge_partners, "wandb")
    summaries = wandb_summaries(recorder.bodies)
    sent = {each["init"]["id"]: each for each in samples.sent("wandb").values()}
    assert summaries.keys() == sent.keys()
    for identity, each in sent.items():
        assert summaries[identity].items() >= each["summary"].items()
        config = wandb_config(recorder.bodies, identity)
        assert {key: config[key]["value"] for key in each["init"]["config"]} == each["init"][
            "config"
        ]


def wandb_config(bodies: list[tuple[str, Any]], identity: str) -> dict[str, Any]:
    """Return the last configuration of a run that was synchronised."""
    variables = [body.get("variables") or {} for _, body in bodies if isinstance(body, dict)]
    told = [
        each["config"] for each in variables if each.get("name") == identity and each.get("config")
    ]
    config: dict[str, Any] = json.loads(told[-1])
    return config


def test_langfuse_has_equal_figures_once(
    partners: Partners, samples: SampleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores sent twice have one id; an observation is made once."""
    replies = LangfuseReplies()
    with recording(replies) as recorder:
        monkeypatch.setenv("LANGFUSE_BASE_URL", recorder.address)
        monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk")
        monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk")
        samples.run(partners, "langfuse")
    assert len(replies.spans) == len(samples.runs)
    scores = [one for path, body in recorder.bodies if path.endswith("/scores") for one in body]
    kept = {score["id"]: score for score in scores}
    sent = [score for each in samples.sent("langfuse").values() for score in each["scores"]]
    assert len(scores) == 2 * len(kept) == 2 * len(sent)
    for score in sent:
        one = kept[score["score_id"]]
        names = {"name": "name", "value": "value", "traceId": "trace_id", "metadata": "metadata"}
        assert {key: one[key] for key in names} == {key: score[of] for key, of in names.items()}


def test_langsmith_has_equal_figures_once(
    partners: Partners, samples: SampleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Feedback that is sent twice has one id, and so has its project.

    The package rounds scores to four decimals; what is beside them has all.
    """
    with recording(reply_as_langsmith) as recorder:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", recorder.address)
        monkeypatch.setenv("LANGSMITH_API_KEY", "key")
        samples.run(partners, "langsmith")
    lines = [body for path, body in recorder.bodies if path.startswith("/feedback")]
    kept = {line["id"]: line for line in lines}
    sent = [line for each in samples.sent("langsmith").values() for line in each["create_feedback"]]
    assert len(lines) == 2 * len(kept) == 2 * len(sent)
    assert len({line["session_id"] for line in lines}) == len(samples.runs)
    for line in sent:
        one = kept[line["feedback_id"]]
        for key in ("key", "value", "comment", "error"):
            assert one.get(key) == line.get(key)
        assert one.get("score") == (round(line["score"], 4) if "score" in line else None)
        assert one["feedback_source"]["metadata"] == line["source_info"]
