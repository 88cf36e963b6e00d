"""`goldpan lake verify` as a command: exit codes, what it prints, heads, and parts of a proof."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from goldpan.cli.lake_verify import show_report
from goldpan.cli.main import run_command
from lake.table_layouts import TABLE_LAYOUTS
from lake.verify import VerifyReport
from lake.verify_ranges import PartitionProof
from tests.goldpan.test_docs import calls
from tests.tampering.scene import TRACES, Scene, make
from tests.tampering.ways import WAYS, table

Command = Callable[..., tuple[int, dict[str, Any]]]
KEY, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


@pytest.fixture
def keyless_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake in use, and no key."""
    make(tmp_path / "lake")
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(tmp_path / "lake"))
    return tmp_path / "lake"


@pytest.fixture
def verify(keyless_folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command; give its exit code and what it printed."""
    del keyless_folder

    def call(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = run_command(["lake", "verify", "--json", *arguments])
        out = capsys.readouterr().out
        return code, json.loads(out) if out else {}

    return call


def test_versions_head_and_files(keyless_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A person sees as of what it holds, and how much of it was proved to the byte."""
    del keyless_folder
    assert run_command(["lake", "verify", "--deep", "--sample", "10"]) == 0
    out = capsys.readouterr().out
    assert "as of table versions traces 3, feedback 2, labels 2, quarantine 5" in out
    assert "10 files proved unchanged since the commit, by hash" in out
    assert "8 files not selected" in out


@pytest.mark.parametrize("name", ["a broken footer", "a broken page", "the table `labels` gone"])
def test_damage_ends_with_1_and_the_whole_list(
    keyless_folder: Path, verify: Command, name: str
) -> None:
    """Together with what else is wrong, without waiting for what will not get better."""
    WAYS[name](keyless_folder)
    WAYS["a file of `feedback` gone"](keyless_folder)
    code, said = verify("--deep")
    assert (code, said["ok"]) == (1, False)
    assert len(said["problems"]) >= 2
    assert "head" not in said
    assert "unfinished" not in said


def test_a_head_that_is_kept(
    keyless_folder: Path,
    verify: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Signed where there is a key; a later state continues it, one that lost a commit does not."""
    bare, signed = tmp_path / "bare.json", tmp_path / "signed.json"
    assert verify("--write-head", str(bare))[0] == 0
    assert "signature" not in json.loads(bare.read_text())
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", KEY)
    code, said = verify("--write-head", str(signed))
    assert code == 0
    assert json.loads(signed.read_text()) == said["head"]
    Scene(keyless_folder, {TRACES: 14}).flush("traces", TRACES, 16)
    for path, by in ((bare, None), (signed, said["head"]["signed_by"])):
        code, now = verify("--head", str(path))
        assert (code, now["continues"]["signed_by"]) == (0, by)
        assert now["continues"]["tables"] == json.loads(path.read_text())["tables"]
    assert run_command(["lake", "verify", "--head", str(bare)]) == 0
    assert f"continue the head {bare} (not signed)" in capsys.readouterr().out

    changed = json.loads(signed.read_text())
    changed["tables"]["traces"]["version"] -= 1
    signed.write_text(json.dumps(changed))
    code, said = verify("--head", str(signed))
    assert code == 1
    assert any("changed after it was signed" in one for one in said["problems"])

    table(keyless_folder, "labels").commits()[-1].unlink()
    code, said = verify("--head", str(bare), "--write-head", str(tmp_path / "no.json"))
    assert code == 1
    assert any("commits were removed" in one for one in said["problems"])
    assert not (tmp_path / "no.json").exists()


def test_a_head_under_another_key(
    verify: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes a head of his own does not pass; without any key the signature must hold."""
    head = tmp_path / "head.json"
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", KEY)
    assert verify("--write-head", str(head))[0] == 0
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", OTHER)
    code, said = verify("--head", str(head))
    assert code == 1
    assert any("with another key" in one for one in said["problems"])
    monkeypatch.delenv("GOLDPAN_REDACT__KEY")
    assert verify("--head", str(head))[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--since", "2026-11-01"],
        ["--sample", "5"],
        ["--deep", "--sample", "0"],
        ["--deep", "--since", "yesterday"],
        ["--deep", "--since", "9999-12-31"],
        ["--head", "none.json"],
        ["--head", "empty.json"],
        ["--head", "table.json"],
        ["--head", "list.json"],
        ["--head", "deep.json"],
        ["--write-head", "none/head.json"],
    ],
)
def test_used_wrongly(
    verify: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """Parts of a proof that is not asked for, and heads that are none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "table.json").write_text('{"format": 1, "tables": {}}')
    assert verify(*arguments)[0] == 2


@pytest.mark.parametrize(
    "moment",
    ["2026-11-01", "2026-11-01T08:00:00Z", "2026-11-01 08:00:00.123 Z", "2026-11-01T09:00+01:00"],
)
def test_moments_as_goldpan_prints_them(verify: Command, moment: str) -> None:
    """A time that was copied out of a log or a table is understood."""
    assert verify("--deep", "--since", moment)[0] == 0


def test_a_head_does_not_lie_in_the_lake(keyless_folder: Path, verify: Command) -> None:
    """It is what shows that the lake was changed."""
    assert verify("--write-head", str(keyless_folder / "head.json"))[0] == 2
    assert not (keyless_folder / "head.json").exists()


def test_a_lost_table_is_given_up_by_name_only(
    keyless_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`lake init` refuses, and says how; the proof goes on saying what is gone."""
    WAYS["the table `labels` gone"](keyless_folder)
    assert run_command(["lake", "init"]) == 3
    assert "goldpan lake init --lost labels" in capsys.readouterr().err
    assert run_command(["lake", "init", "--lost", "labels"]) == 0
    assert run_command(["lake", "verify"]) == 1
    assert "the table was recreated" in capsys.readouterr().out


def test_a_lake_that_is_gone_does_not_continue_its_head(
    keyless_folder: Path, verify: Command, tmp_path: Path
) -> None:
    """Without a head it is an address without a lake; with one, every table of it is missed."""
    head = tmp_path / "head.json"
    assert verify("--write-head", str(head))[0] == 0
    shutil.rmtree(keyless_folder)
    assert verify()[0] == 3
    code, said = verify("--head", str(head))
    assert code == 1
    missed = [one for one in said["problems"] if "it is missing" in one]
    assert len(missed) == len(TABLE_LAYOUTS)


@pytest.mark.parametrize("names", ["labels", "*"])
def test_files_without_a_log_are_no_new_lake(
    keyless_folder: Path, verify: Command, capsys: pytest.CaptureFixture[str], names: str
) -> None:
    """A copy that left hidden folders out is damage, and no tables are made over its files."""
    for log in keyless_folder.glob(f"{names}/_delta_log"):
        shutil.rmtree(log)
    code, said = verify()
    assert code == 1
    assert any("its log, the folder _delta_log, is missing" in one for one in said["problems"])
    assert run_command(["lake", "init"]) == 3
    assert "restore it from a copy" in capsys.readouterr().err
    assert not [*keyless_folder.glob(f"{names}/_delta_log")]


def test_the_commands_of_the_page(
    keyless_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of docs/proofs.md, in its order, but for those that give a table up or skip Kafka."""
    del keyless_folder
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs/proofs.md").read_text(encoding="utf-8")
    wanted = [one for one in calls(page) if one[:2] == ["lake", "verify"]]
    assert len(wanted) >= 3
    assert [run_command(one) for one in wanted] == [0] * len(wanted)


def test_leaders_that_changed_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """With the offset up to which each of them reaches; one leader is nothing to speak of."""
    one = PartitionProof("t", 0, 0, 9, epochs=((3, 9),))
    two = PartitionProof("t", 1, 0, 15, epochs=((3, 9), (4, 15)))
    many = PartitionProof("t", 2, 0, 9, epochs=tuple((n, n + 1) for n in range(7)))
    show_report(Console(width=200), VerifyReport([one, two, many], []))
    told = capsys.readouterr().out
    assert "t/1: leader epochs 3 up to 9, 4 up to 15" in told
    assert "t/2: leader epochs …, 3 up to 4, 4 up to 5, 5 up to 6, 6 up to 7" in told
    assert "t/0: leader" not in told
