"""The commands of `docs/backup.md` do what the page says; with Kafka: `tests/faults/test_restore.py`.

And those of `docs/erasure.md` that show what is held of a person.
"""  # noqa: E501 - one line

import base64
import json
import re
import shutil
from pathlib import Path

import pytest

from goldpan import key_check
from goldpan.cli.main import run_command
from goldpan.settings import load_settings
from tests.architecture.source import ROOT
from tests.batch.erase.world import PERSON, SEAL, WORDS, new_world
from tests.batch.kit import open_lake
from tests.edges.search import marks_in_folder
from tests.goldpan.test_docs import CODE, calls
from tests.servers.worker import TEST_KEY

PAGE = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")


SECRETS = {
    "SEAL_KEY": base64.b64encode(SEAL.secret).decode(),
    "FORMER_KEYS": json.dumps({"k0": base64.b64encode(bytes(range(1, 33))).decode()}),
}


@pytest.fixture
def backup_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of a person, where the commands of the page are typed."""
    new_world(tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_LAKE__ERASURES_COPY", "kept")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)
    assert run_command(["lake", "init"]) == 0
    return tmp_path


def test_the_page_from_backup_to_keys(backup_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the page, but for what needs Kafka; the destroyed keys are refused."""
    backup, restore, destroyed = (f"```sh\n{block}```" for block in CODE.findall(PAGE))
    assert "cp -a lake backup/lake" in backup
    shutil.copytree("lake", "backup/lake")
    (verify,) = re.findall(r"^GOLDPAN_LAKE__URI=backup/lake goldpan (.*)$", backup, re.MULTILINE)
    with monkeypatch.context() as there:
        there.setenv("GOLDPAN_LAKE__URI", "backup/lake")
        assert run_command(verify.split()) == 0
    assert run_command(["erase", "--subject", PERSON, "--unopened", "remove"]) == 0
    assert "mv lake lost && cp -a backup/lake lake" in restore
    shutil.move("lake", "lost")
    shutil.copytree("backup/lake", "lake")
    steps = [one for one in calls(restore) if "--kafka" not in one and one[0] != "stream"]
    assert len(steps) == 2
    assert run_command(steps[1]) == 3
    for command in steps:
        assert run_command(command) == 0
    assert marks_in_folder(backup_folder / "lake", WORDS) == []
    with monkeypatch.context() as before:
        for name, value in SECRETS.items():
            before.setenv(f"GOLDPAN_REDACT__{name}", value)
        key_check.refuse_wrong_keys(
            load_settings(None), open_lake(backup_folder / "lake"), remember=True
        )
    for command in calls(destroyed):
        assert run_command(command) == 0
    for name, value in SECRETS.items():
        with monkeypatch.context() as back:
            back.setenv(f"GOLDPAN_REDACT__{name}", value)
            assert run_command(["erase", "--subject", "somebody-else"]) == 2
    assert run_command(["erase", "apply"]) == 0


def test_the_commands_that_show_what_is_held(backup_folder: Path) -> None:
    """Each one of the page of erasure, with the list that it names."""
    (backup_folder / "ids.txt").write_text(f"{PERSON}\n")
    page = (ROOT / "docs" / "erasure.md").read_text(encoding="utf-8")
    found = [one for one in calls(page) if one[:2] == ["subject", "show"]]
    assert len(found) >= 3
    for command in found:
        assert run_command(command) == 0
