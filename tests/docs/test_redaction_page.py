"""The policy and commands of `docs/redaction.md`, and the file of `docs/settings.md`, are valid."""

import json
from pathlib import Path

import pytest

from goldpan.cli.main import run_command
from goldpan.settings import load_settings
from redact.policies.policy import load_policy
from tests.batch.kit import new_lake
from tests.docs.pages import code_blocks
from tests.labels.kit import trace
from tests.servers.worker import TEST_KEY

PAGE = code_blocks("docs/redaction.md")
LABELLED = [
    {"text": "My name is Ann", "spans": [{"start": 11, "end": 14, "type": "PERSON"}]},
    {"text": "Write to ann@example.com", "values": [{"type": "EMAIL", "value": "ann@example.com"}]},
]


@pytest.fixture
def _redaction_page_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lake and labelled lines, where the commands are typed."""
    new_lake(tmp_path / "lake", [trace("t-1")])
    (tmp_path / "labelled.jsonl").write_text("\n".join(map(json.dumps, LABELLED)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)


@pytest.mark.usefixtures("_redaction_page_folder")
@pytest.mark.parametrize(
    "line",
    [line for block in PAGE if block.language == "sh" for line in block.text.splitlines()],
)
def test_a_command_of_the_page_answers(line: str) -> None:
    """Each measures or counts; nothing is left in this lake, and the labelled values are found."""
    assert run_command(line.split()[1:]) == 0


def test_the_policy_of_the_page_is_valid(tmp_path: Path) -> None:
    """With all that it shows: a preset, an app of its own, keys, and lists."""
    [block] = [block for block in PAGE if block.language == "yaml"]
    file = tmp_path / "clinic.yaml"
    file.write_text(block.text)
    policy = load_policy(str(file))
    assert policy.name == "clinic"
    assert "billing" in policy.apps


def test_the_file_of_the_page_of_settings_is_read(tmp_path: Path) -> None:
    """As TOML, with the value that the page says."""
    [block] = [block for block in code_blocks("docs/settings.md") if block.language == "toml"]
    file = tmp_path / "goldpan.toml"
    file.write_text(block.text)
    assert load_settings(file).kafka.group_id == "goldpan"
