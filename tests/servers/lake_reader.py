"""What the tables really hold, read without goldpan's own code; and what ``lake verify`` says.

Tests of the promise "each record exactly once" take this as the witness.
"""

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from tests.servers.worker import call_goldpan

Place = tuple[int, int]
"""Partition and offset of a record in its topic."""


class LakeReader:
    """Reads the lake that the settings of a worker name (see ``worker.settings``)."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)
        self.uri = env["GOLDPAN_LAKE__URI"].rstrip("/")
        self._options = {name: value for name, value in env.items() if name.startswith("AWS_")}

    def table(self, name: str) -> DeltaTable | None:
        """The newest version of a table, or None if there is no such table."""
        try:
            return DeltaTable(f"{self.uri}/{name}", storage_options=self._options)
        except TableNotFoundError:
            return None

    def rows(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of a table. Raises AssertionError if there is no such table."""
        found = self.table(table)
        assert found is not None, f"no table {table} at {self.uri}"
        return found.to_pyarrow_table(columns=None if columns is None else list(columns))

    def coordinates(self, table: str) -> Counter[tuple[str, int, int]]:
        """How often each (topic, partition, offset) is in a table; empty if there is no table."""
        if self.table(table) is None:
            return Counter()
        rows = self.rows(table, ["_topic", "_partition", "_offset"])
        columns = (rows[name].to_pylist() for name in ("_topic", "_partition", "_offset"))
        return Counter(zip(*columns, strict=True))

    def places(self, table: str, topic: str) -> Counter[Place]:
        """How often each (partition, offset) of one topic is in a table."""
        found = self.coordinates(table).items()
        return Counter({(p, o): times for (name, p, o), times in found if name == topic})

    def position(self, table: str, topic: str, partition: int) -> int | None:
        """The next offset to consume that a table remembers, None if it remembers none."""
        found = self.table(table)
        return None if found is None else found.transaction_version(f"{topic}/{partition}")

    def files(self, table: str) -> list[str]:
        """The data files of the newest version of a table."""
        found = self.table(table)
        return [] if found is None else found.file_uris()

    def verify(self) -> subprocess.CompletedProcess[str]:
        """Run ``goldpan lake verify --json``; what it says is on ``stdout``."""
        return call_goldpan(self._env, "lake", "verify", "--json")

    def assert_exactly_once(
        self,
        topic: str,
        produced: Iterable[Place],
        *,
        table: str = "traces",
        dropped: Iterable[Place] = (),
        verified: subprocess.CompletedProcess[str] | None = None,
    ) -> dict[str, Any]:
        """Every record of ``produced`` is once in ``table`` or in quarantine, and nothing else is.

        ``dropped`` are those that a named rule leaves out: they must be nowhere. Afterwards
        ``lake verify`` must agree, number by number: now, or when it was ``verified``. Gives its
        report.
        """
        expected, left_out = set(produced), set(dropped)
        stored, quarantined = self.places(table, topic), self.places("quarantine", topic)
        _assert_each_once(expected - left_out, stored + quarantined, f"{table} and quarantine")
        done = verified or self.verify()
        assert done.returncode == 0, f"lake verify: {done.returncode}\n{done.stdout}{done.stderr}"
        report: dict[str, Any] = json.loads(done.stdout)
        assert report["ok"] is True, report
        assert report["problems"] == [], report
        wanted = {
            "consumed": _by_partition(expected),
            "stored": _by_partition(stored.elements()),
            "quarantined": _by_partition(quarantined.elements()),
            "dropped": _by_partition(left_out),
        }
        _assert_sums(report, topic, wanted)
        return report


def _assert_each_once(expected: set[Place], found: Counter[Place], where: str) -> None:
    missing = sorted(expected - found.keys())
    doubled = sorted(place for place, times in found.items() if times > 1)
    strange = sorted(found.keys() - expected)
    wrong = missing or doubled or strange
    assert not wrong, (
        f"{where} hold {found.total()} rows of {len(expected)} records; (partition, offset) of"
        f" {len(missing)} missing: {missing[:5]}, of {len(doubled)} more than once: {doubled[:5]},"
        f" of {len(strange)} that were not expected: {strange[:5]}"
    )


def _by_partition(places: Iterable[Place]) -> Counter[int]:
    return Counter(partition for partition, _ in places)


def _assert_sums(report: Mapping[str, Any], topic: str, wanted: Mapping[str, Counter[int]]) -> None:
    """The report counts per partition what was read back, and leaves no offset out."""
    entries = [entry for entry in report["partitions"] if entry["topic"] == topic]
    for name, counts in wanted.items():
        said: Counter[int] = Counter()
        for entry in entries:
            said[entry["partition"]] += entry[name]
        assert +said == +counts, f"lake verify says {name} {said}, the tables say {counts}"
    for entry in entries:
        passed = entry["to"] - entry["from"]
        assert passed == entry["consumed"] + entry["skipped"], f"offsets unaccounted for: {entry}"
