"""Holds what was produced against what the tables hold, and asks ``lake verify`` as well."""

import json
import subprocess
from collections.abc import Mapping

from tests.servers.lake_reader import LakeReader
from tests.servers.worker import call_goldpan


class Witness(LakeReader):
    """Reads a lake without goldpan's code, and verifies it deeply with it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(env)
        self.env = dict(env)

    def verify(self) -> subprocess.CompletedProcess[str]:
        """Return what ``goldpan lake verify --deep --json`` says."""
        return call_goldpan(self.env, "lake", "verify", "--deep", "--json")

    def problems(self) -> list[str]:
        """Return the problems that ``lake verify`` lists."""
        found: list[str] = json.loads(self.verify().stdout)["problems"]
        return found

    def skipped(self, topic: str) -> int:
        """Return how many offsets of a topic are recorded as skipped."""
        partitions = json.loads(self.verify().stdout)["partitions"]
        return sum(entry["skipped"] for entry in partitions if entry["topic"] == topic)
