"""Holds what was produced against what the tables hold, and asks ``lake verify`` as well."""

import json
import subprocess
from collections.abc import Mapping

from goldpan.audit_rules import load_audit_rules
from lake.config import LakeSettings
from lake.tables import Lake
from lake.verify import verify_lake
from lake.verify_files import DeepOptions
from tests.servers.lake_reader import LakeReader
from tests.servers.worker import run_goldpan


class Witness(LakeReader):
    """Reads a lake without goldpan's code, and verifies it deeply with it.

    A lake in a folder is verified in this process, since a command costs a second; one on S3 by
    the command, whose environment names the server.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(env)
        self.env = dict(env)

    def verify(self) -> subprocess.CompletedProcess[str]:
        """Return what ``goldpan lake verify --deep --json`` says, or would say."""
        if "://" in self.uri:
            return run_goldpan(self.env, "lake", "verify", "--deep", "--json")
        lake = Lake(LakeSettings(uri=self.uri))
        report = verify_lake(lake, deep=True, options=DeepOptions(audit=load_audit_rules(lake, ())))
        said = json.dumps(report.to_json())
        return subprocess.CompletedProcess([], 0 if report.ok else 1, said, "")

    def problems(self) -> list[str]:
        """Return the problems that ``lake verify`` lists."""
        found: list[str] = json.loads(self.verify().stdout)["problems"]
        return found

    def skipped(self, topic: str) -> int:
        """Return how many offsets of a topic are recorded as skipped."""
        partitions = json.loads(self.verify().stdout)["partitions"]
        return sum(entry["skipped"] for entry in partitions if entry["topic"] == topic)
