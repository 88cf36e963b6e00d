"""The temporary files of a selection are private, and are removed even if it is killed."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from batch.bounded_duckdb import TEMP_DIR_PREFIX, remove_stale_temp_dirs, temp_dir
from lake.config import LakeSettings
from lake.tables import Lake
from tests.architecture.source import ROOT
from tests.batch.release.kit import drafted
from tests.kill_harness import KILLED

SPILLS_AND_DIES = """
import sys
from batch.release.sampling.duckdb_engine import DuckDbEngine
from lake.config import LakeSettings
from lake.tables import Lake
from tests.batch.release.kit import drafted
from tests.kill_harness import die

def strata(self):
    text = "'planted ' || i || md5(i::VARCHAR)"
    self._connection.sql("SET memory_limit = '64MiB'")
    self._connection.sql(f"CREATE TEMP TABLE much AS SELECT {text} FROM range(1500000) r(i)")
    die()

DuckDbEngine.strata = strata
drafted(Lake(LakeSettings(uri=sys.argv[1])))
"""


def _folders(parent: Path) -> list[Path]:
    return list(parent.glob(f"{TEMP_DIR_PREFIX}*"))


def test_the_temporary_files_of_a_killed_selection_are_removed(
    conversation_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in a folder that only its owner may read, until the next selection begins."""
    killed = subprocess.run(
        [sys.executable, "-c", SPILLS_AND_DIES, conversation_lake.location.uri],
        cwd=ROOT,
        env={"TMPDIR": str(tmp_path), "PATH": ""},
        check=False,
    )
    assert killed.returncode == KILLED
    (left,) = _folders(tmp_path)
    assert left.stat().st_mode & 0o777 == 0o700
    assert any(b"planted" in file.read_bytes() for file in left.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    drafted(Lake(LakeSettings(uri=conversation_lake.location.uri)), size=16)
    assert _folders(tmp_path) == []


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """Folders locked by another process, and links of other users, are not removed."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"{TEMP_DIR_PREFIX}link").symlink_to(tmp_path / "elsewhere")
    with temp_dir(tmp_path) as folder:
        (folder / "spilled").write_bytes(b"x")
        assert remove_stale_temp_dirs(tmp_path) == 0
        assert (folder / "spilled").exists()
    assert not folder.exists()
    assert (tmp_path / "elsewhere").is_dir()
    (tmp_path / f"{TEMP_DIR_PREFIX}dead").mkdir()
    assert remove_stale_temp_dirs(tmp_path) == 1
    assert [path.name for path in _folders(tmp_path)] == [f"{TEMP_DIR_PREFIX}link"]
