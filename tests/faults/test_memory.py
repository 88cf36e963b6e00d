"""Far more waits in Kafka than memory may hold, and the lake does not take it: reading pauses."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.scene import Scene
from tests.make.records import encode_json, trace
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka
from tests.servers.s3 import S3
from tests.servers.s3_faults import Fault, FaultyS3
from tests.servers.topic_io import Record, produce
from tests.servers.worker import Worker

ROOM = 100 * 2**20
OVER_ROOM = 2.5
"""How much waits in Kafka, as a multiple of the room: read at once, it would be too much."""
OVER_CEILING = 1.2
"""How much waits in `make chaos`, as a multiple of the ceiling itself."""


class Flood(NamedTuple):
    """What befalls the lake, how large the records are, and whether more waits than all memory."""

    fault: Fault
    size: int
    much: bool = True


CASES = [
    pytest.param(Flood(Fault.HANG, 200_000, much=False), id="hangs, large records"),
    pytest.param(Flood(Fault.HANG, 200_000), id="hangs, more of them", marks=pytest.mark.chaos),
    pytest.param(Flood(Fault.ERROR_503, 20_000), id="fails, 20 kB", marks=pytest.mark.chaos),
    pytest.param(Flood(Fault.HANG, 2_000), id="hangs, small records", marks=pytest.mark.chaos),
    pytest.param(Flood(Fault.ERROR_503, 2_000), id="fails, small records", marks=pytest.mark.chaos),
]


def ceiling(scene: Scene) -> int:
    """What a worker takes before it has read anything, by its own word, and ``ROOM`` above it."""
    worker = scene.start(stream__memory_bytes="1MiB")
    assert worker.wait() == 2, worker.tail()
    said = re.search(r"This worker uses (\d+)MiB", worker.log_text())
    assert said, worker.tail()
    return int(said[1]) * 2**20 + ROOM


def peak(worker: Worker) -> int:
    """The most memory that the process has ever had, in bytes, as the kernel counts it."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found, status
    return int(found[1]) * 1024


def fill_topic(scene: Scene, total: int, size: int) -> None:
    """Put about ``total`` bytes of traces of ``size`` bytes on the topic of traces."""
    template = encode_json(trace(0, size=size, trace_id="trace-number"))
    records = (
        Record(str(i).encode(), template.replace(b"trace-number", f"trace-{i}".encode()))
        for i in range(total // len(template))
    )
    scene.traces += produce(scene.kafka.bootstrap, scene.traces_topic, records)


@pytest.fixture
def breakable_scene(kafka: Kafka, s3: S3, faulty_s3: FaultyS3, start_worker: StartWorker) -> Scene:
    """Topics and a lake on S3, behind a proxy that can break requests."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process's memory is read from /proc")
    outside = s3.env(faulty_s3.endpoint)
    return Scene(kafka, s3.new_lake(), start_worker, partitions=4, outside=outside)


@pytest.mark.chaos  # `tests/stream/test_memory.py` always runs
@pytest.mark.parametrize("flood", CASES)
def test_reading_pauses_below_the_ceiling(
    breakable_scene: Scene, s3: S3, faulty_s3: FaultyS3, flood: Flood
) -> None:
    """With a lake that takes nothing, memory stays below its ceiling; then everything comes in."""
    limit = ceiling(breakable_scene)
    waiting = limit * OVER_CEILING if flood.much else ROOM * OVER_ROOM
    fill_topic(breakable_scene, int(waiting), flood.size)
    rule = faulty_s3.inject(flood.fault, "PUT", r"/traces/.*\.parquet", times=None, seconds=5)
    worker = breakable_scene.start(stream__memory_bytes=limit, stream__flush_seconds=5)
    breakable_scene.outside = s3.env()  # who looks on does not go through the proxy
    worker.wait_for_log("paused", why="memory")
    rule.wait(times=3)
    assert peak(worker) < limit
    assert not breakable_scene.all_in()
    faulty_s3.clear()
    worker.wait_for_log("resumed")
    worker.wait_until(breakable_scene.all_in, 200, what="done")
    assert peak(worker) < limit
    worker.sigterm()
    worker.finish()
    breakable_scene.assert_exactly_once()
