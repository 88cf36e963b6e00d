"""The drill of `docs/backup.md`: a lake is lost, put back from before an erasure, and read again.

`tests/goldpan/test_backup_page.py` is its short form, without Kafka.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.faults.test_kept_out import POLICY, SUBJECT, ErasureScene
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.worker import environment, run_goldpan

PAGE = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")
BACKUP, RESTORE, _ = (
    [line.partition(" #")[0] for line in block.splitlines()]
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
)


@pytest.fixture
def restored_scene(kafka: Kafka, tmp_path: Path, start_worker: StartWorker) -> ErasureScene:
    """Topics and a lake, whose erasures are kept a second time, at the places of the page."""
    (tmp_path / "lax.yaml").write_text(POLICY)
    (tmp_path / "backup").mkdir()
    (tmp_path / "goldpan").write_text(f'#!/bin/sh\nexec {sys.executable} -P -m goldpan "$@"\n')
    (tmp_path / "goldpan").chmod(0o755)
    return ErasureScene(
        kafka,
        tmp_path / "lake",
        start_worker,
        more={
            "redact__policy": str(tmp_path / "lax.yaml"),
            "labels__policy": "off",
            "lake__erasures_copy": str(tmp_path / "kept"),
        },
    )


def typed(scene: ErasureScene, folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the page, where its paths lead."""
    env = environment(scene.env())
    env |= {"PATH": f"{folder}{os.pathsep}{env['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.chaos
def test_the_drill_of_the_page(restored_scene: ErasureScene, tmp_path: Path) -> None:
    """Backup, erasure, loss: no worker starts before the erasure is applied; then all is there."""
    assert run_goldpan(restored_scene.env(), "lake", "init").returncode == 0
    restored_scene.produce(40)
    restored_scene.catch_up()
    for line in BACKUP:
        done = typed(restored_scene, tmp_path, line)
        assert done.returncode == 0, done.stderr
    restored_scene.produce(20)
    restored_scene.catch_up()
    erased = run_goldpan(restored_scene.env(), "erase", "--subject", SUBJECT)
    assert erased.returncode == 0, erased.stderr
    assert restored_scene.stored_of_mine() == 0

    copied, applied, proved, compared, read = RESTORE
    assert typed(restored_scene, tmp_path, copied).returncode == 0
    assert restored_scene.stored_of_mine() == 20
    worker = restored_scene.start("--until-caught-up")
    assert worker.wait() == 3
    assert "goldpan erase apply" in worker.log_text()
    done = typed(restored_scene, tmp_path, applied)
    assert done.returncode == 0, done.stderr
    assert restored_scene.stored_of_mine() == 0
    done = typed(restored_scene, tmp_path, proved)
    assert done.returncode == 0, done.stdout + done.stderr
    done = typed(restored_scene, tmp_path, f"{compared} --json")
    assert (done.returncode, json.loads(done.stdout)["behind"]) == (0, 40), done.stderr
    done = typed(restored_scene, tmp_path, read)
    assert done.returncode == 0, done.stderr
    assert restored_scene.stored_of_mine() == 0
    restored_scene.assert_all_others_once()
