"""``goldpan release`` as people use it, and every command on the page about releases."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from lake.tables import Lake
from tests.architecture.source import ROOT
from tests.batch.release.kit import open_repository
from tests.batch.release.people import SIGNER, erased, rows_of
from tests.batch.release.world import conversations, labels_for, make_lake
from tests.servers.in_process import Run, runner
from tests.servers.worker import TEST_KEY

PAGE = (ROOT / "docs" / "releases.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def release_workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake and the spec of the page."""
    folder = tmp_path_factory.mktemp("place")
    traces = conversations(8)
    made: Lake = make_lake(folder / "lake", traces, labels_for(traces))
    assert made
    found = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found
    (folder / "support.yaml").write_text(found[1])
    return folder


@pytest.fixture
def run_release(
    release_workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run goldpan in that folder, in this process: loading its libraries is slow."""
    monkeypatch.chdir(release_workspace)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)

    return runner(capsys)


def test_the_commands_of_the_page_run(run_release: Run) -> None:
    """Every command in the code of docs/releases.md works, in its order."""
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
        for line in block.splitlines()
    ]
    assert len(lines) >= 9
    for line in lines:
        done = run_release(*shlex.split(line)[1:])
        assert done.returncode == 0, (line, done.stderr)
        assert "Traceback" not in done.stderr


def test_json_output(run_release: Run, release_workspace: Path) -> None:
    """Build, verify, diff, list and show answer in JSON, with the exit codes that are promised."""
    spec = release_workspace / "other.yaml"
    spec.write_text(
        (release_workspace / "support.yaml").read_text().replace("name: support", "name: other")
    )
    first = json.loads(run_release("release", "build", str(spec), "--json").stdout)
    assert (first["version"], first["published"], first["level"]) == ("1.0.0", True, "major")
    again = json.loads(run_release("release", "build", str(spec), "--json").stdout)
    assert (again["version"], again["published"]) == ("1.0.0", False)
    spec.write_text(spec.read_text().replace("size: 40", "size: 48"))
    dry = json.loads(run_release("release", "build", str(spec), "--json", "--dry-run").stdout)
    assert dry["row_count"] > first["rows"]
    second = json.loads(run_release("release", "build", str(spec), "--json").stdout)
    differ = run_release("release", "diff", "other@1.0.0", "other", "--json")
    told: dict[str, Any] = json.loads(differ.stdout)
    assert differ.returncode == 1
    assert told["changes"] == second["changes"]
    assert sum(new - old for old, new in told["labels"].values()) == second["rows"] - first["rows"]
    assert run_release("release", "diff", "other", "other@latest").returncode == 0
    listed = json.loads(run_release("release", "list", "other", "--json").stdout)["releases"]
    assert [one["state"] for one in listed] == ["published", "published"]
    pinned = f"other@{first['digest']}"
    assert json.loads(run_release("release", "show", pinned, "--json").stdout)["version"] == "1.0.0"
    assert json.loads(run_release("release", "verify", pinned, "--json").stdout)["ok"]


def test_a_changed_byte_gives_exit_code_one(run_release: Run, release_workspace: Path) -> None:
    """``verify`` fails for a changed folder, and export refuses it."""
    spec = release_workspace / "third.yaml"
    spec.write_text(
        (release_workspace / "support.yaml").read_text().replace("name: support", "name: third")
    )
    run_release("release", "build", str(spec))
    folder = release_workspace / "lake" / "releases" / "third" / "1.0.0"
    data = bytearray((folder / "data.parquet").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "data.parquet").write_bytes(data)
    done = run_release("release", "verify", str(folder))
    assert done.returncode == 1
    assert "data.parquet was changed" in done.stdout
    done = run_release("release", "export", "third", "--to", "jsonl", "--out", "e")
    assert done.returncode == 2
    assert "changed since publication" in done.stderr


def test_a_side_that_has_no_row_is_refused(run_release: Run, release_workspace: Path) -> None:
    """An empty export would pass every test that uses it."""
    spec = release_workspace / "sides.yaml"
    asked = yaml.safe_load((release_workspace / "support.yaml").read_text())
    spec.write_text(yaml.safe_dump(asked | {"name": "sides", "holdout": None}))
    run_release("release", "build", str(spec))
    done = run_release(
        "release", "export", "sides", "--to", "jsonl", "--out", "s", "--side", "holdout"
    )
    assert done.returncode == 2
    assert "no rows on the side holdout" in done.stderr
    assert not (release_workspace / "s").exists()


def test_every_command_reports_erased_rows(run_release: Run, release_workspace: Path) -> None:
    """List, show, verify, diff and export of a version that lost a row, and of its successor."""
    spec = release_workspace / "fourth.yaml"
    spec.write_text(
        (release_workspace / "support.yaml").read_text().replace("name: support", "name: fourth")
    )
    first = json.loads(run_release("release", "build", str(spec), "--json").stdout)
    here = open_repository(release_workspace / "lake" / "releases")
    (release_workspace / "fourth").mkdir()
    gone = rows_of(release_workspace / "lake" / "releases" / "fourth" / "1.0.0")[0]["trace_id"]
    erased(here, [gone], 1)
    listed = json.loads(run_release("release", "list", "fourth", "--json").stdout)["releases"]
    assert [(o["version"], o["erased"]) for o in listed] == [("1.0.0", True), ("2.0.0", False)]
    assert "published, rows erased" in run_release("release", "list", "fourth").stdout
    assert "1 row erased since" in run_release("release", "show", "fourth@1.0.0").stdout
    pinned = f"fourth@{first['digest']}"
    told = json.loads(run_release("release", "verify", pinned, "--json").stdout)
    assert (told["ok"], told["rows"], told["erased"]) == (True, first["rows"] - 1, 1)
    assert "ok except 1 erased row:" in run_release("release", "verify", pinned).stdout
    assert run_release("release", "verify", pinned, "--erased-by", SIGNER.public).returncode == 0
    assert run_release("release", "verify", pinned, "--erased-by", "00" * 32).returncode == 1
    differ = run_release("release", "diff", "fourth@1", "fourth", "--json")
    assert (differ.returncode, json.loads(differ.stdout)["level"]) == (1, "major")
    assert json.loads(differ.stdout)["changes"]["erased"] == 1
    out = run_release("release", "export", "fourth@1", "--to", "jsonl", "--out", "fourth", "--json")
    assert json.loads(out.stdout)["rows"] == first["rows"] - 1
    assert gone not in (release_workspace / "fourth" / "fourth.jsonl").read_text()


def test_a_withdrawn_version_is_not_exported(run_release: Run, release_workspace: Path) -> None:
    """It is refused with exit code 2."""
    spec = release_workspace / "gone.yaml"
    spec.write_text(
        (release_workspace / "support.yaml").read_text().replace("name: support", "name: gone")
    )
    run_release("release", "build", str(spec))
    assert run_release("release", "withdraw", "gone@1.0.0", "--reason", "x").returncode == 0
    done = run_release("release", "export", "gone@1.0.0", "--to", "csv", "--out", "w")
    assert done.returncode == 2
    assert "was withdrawn" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["show", "nothing"], 2, "there is no release named nothing"),
        (["show", "No Such"], 2, "is not the name of a release"),
        (["build", "no-such.yaml"], 2, "cannot be read"),
        (["build", "support.yaml", "--traces-version", "99"], 2, "has no version 99"),
        (["withdraw", "support@1", "--reason", "x"], 2, "in full"),
    ],
)
def test_wrong_use_is_reported_in_a_sentence(
    run_release: Run, arguments: list[str], code: int, told: str
) -> None:
    """Exit code 2 and one sentence with the correct use."""
    done = run_release("release", *arguments)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_pin_is_pulled_into_a_folder(run_release: Run, release_workspace: Path) -> None:
    """Verified by the digest, repeatable, updated; no other folder is replaced."""
    spec = release_workspace / "fifth.yaml"
    spec.write_text(
        (release_workspace / "support.yaml").read_text().replace("name: support", "name: fifth")
    )
    first = json.loads(run_release("release", "build", str(spec), "--json").stdout)
    pinned = f"fifth@{first['digest']}"
    told = json.loads(run_release("release", "pull", pinned, "pulled/fifth", "--json").stdout)
    assert (told["ok"], told["pinned"], told["rows"]) == (True, True, first["rows"])
    assert run_release("release", "pull", pinned, "pulled/fifth").returncode == 0
    assert (
        run_release("release", "verify", "pulled/fifth", "--expect", first["digest"]).returncode
        == 0
    )
    assert (
        "pin it as fifth@sha256" in run_release("release", "pull", "fifth", "pulled/fifth").stdout
    )
    gone = rows_of(release_workspace / "pulled" / "fifth")[0]["trace_id"]
    erased(open_repository(release_workspace / "lake" / "releases"), [gone], 1)
    assert (
        "ok except 1 erased row:" in run_release("release", "pull", pinned, "pulled/fifth").stdout
    )
    assert gone not in {row["trace_id"] for row in rows_of(release_workspace / "pulled" / "fifth")}
    other = run_release("release", "pull", "fifth@2.0.0", "pulled/fifth")
    assert (other.returncode, "something other" in other.stderr) == (2, True)
    run_release("release", "withdraw", "fifth@2.0.0", "--reason", "an example")
    assert run_release("release", "pull", "fifth@2.0.0", "pulled/sixth").returncode == 1
    data = release_workspace / "lake" / "releases" / "fifth" / "1.0.0" / "manifest.json"
    data.write_text(data.read_text().replace('"fifth"', '"other"', 1))
    assert run_release("release", "pull", pinned, "pulled/seventh").returncode == 1
    assert not (release_workspace / "pulled" / "sixth").exists()
    assert not (release_workspace / "pulled" / "seventh").exists()


def test_the_page_s_example_for_ci_runs(run_release: Run, release_workspace: Path) -> None:
    """Each call of goldpan in the workflow works, with its pin inserted."""
    spec = release_workspace / "ci.yaml"
    spec.write_text(
        (release_workspace / "support.yaml").read_text().replace("name: support", "name: ci")
    )
    first = json.loads(run_release("release", "build", str(spec), "--json").stdout)
    found = re.findall(r"- run: (goldpan .*)", PAGE)
    assert len(found) == 2
    for line in found:
        plain = line.replace("$GOLDEN", f"ci@{first['digest']}")
        arguments = shlex.split(re.sub(r" --signed-by \S+ \S+ \S+", "", plain))[1:]
        done = run_release(*(f"ci-{a[2:]}" if a.startswith("./") else a for a in arguments))
        assert done.returncode == 0, (line, done.stderr)
