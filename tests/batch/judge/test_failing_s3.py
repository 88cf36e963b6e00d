"""A real S3 server whose requests fail, or lie about it: 0 judgements are lost or doubled."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence

import pytest

from lake.retry import Retry
from tests.batch.judge.world import World, asked, claims, stored
from tests.batch.kit import new_lake, open_lake
from tests.servers.s3 import S3
from tests.servers.s3_faults import Fault, FaultyS3, Rule

ROWS = 24
DATA = r"/judgements/.*\.parquet"
COMMIT = r"/judgements/_delta_log/\d+\.json"
REFUSALS = (Fault.ERROR_500, Fault.ERROR_503, Fault.SLOW_DOWN, Fault.CLOSE)
LIES = (Fault.DROP_REPLY, Fault.ERROR_500_AFTER, Fault.STALL_REPLY)
OFTEN = 8
"""More often than any client tries by itself before it reports an error."""
PAUSE = 0.1


@pytest.fixture
def failing_lake(s3: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a lake with traces on S3, reachable from this process."""
    for name, value in s3.env().items():
        if not name.startswith("GOLDPAN_"):
            monkeypatch.setenv(name, value)
    uri = s3.new_lake()
    new_lake(uri, [asked(number) for number in range(ROWS)], s3_endpoint_url=s3.endpoint)
    return uri


def break_requests(
    proxy: FaultyS3, faults: Sequence[Fault], path: str, method: str = "PUT", times: int = 1
) -> list[Rule]:
    """Do each fault to requests of a path; the first rule that wants a request has it."""
    return [proxy.inject(fault, method, path, times=times, seconds=PAUSE) for fault in faults]


def judge_through(proxy: FaultyS3, s3: S3, uri: str) -> World:
    """Judge through the proxy, and check that every row was judged and asked about once."""
    world = World(open_lake(uri, proxy.endpoint))
    report = world.run()
    assert (report.counts.passed, report.judged) == (ROWS, ROWS)
    each_once(s3, uri)
    assert len(world.server.asked) == ROWS
    assert max(Counter(claims(open_lake(uri, s3.endpoint))).values()) == 1
    again = World(open_lake(uri, s3.endpoint), run_id="run-2")
    assert (again.run().known, again.server.asked) == (ROWS, [])
    return world


def each_once(s3: S3, uri: str) -> None:
    """Each row has one judgement in the lake, seen without the proxy."""
    found = Counter(judgement.trace_id for judgement in stored(open_lake(uri, s3.endpoint)))
    assert found == {f"t{number:04}": 1 for number in range(ROWS)}


@pytest.mark.parametrize("faults", [REFUSALS, LIES], ids=["refusals", "lies"])
def test_requests_that_fail(
    s3: S3, faulty_s3: FaultyS3, failing_lake: str, faults: Sequence[Fault]
) -> None:
    """Data files and commits that are refused, or done without saying so."""
    rules = [
        *break_requests(faulty_s3, faults, DATA),
        *break_requests(faulty_s3, faults, COMMIT),
    ]
    judge_through(faulty_s3, s3, failing_lake)
    assert all(rule.done for rule in rules), rules
    if faults is LIES:
        assert rules[0].done[0].status == 200


@pytest.mark.chaos
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_log_that_cannot_be_read(
    s3: S3, faulty_s3: FaultyS3, failing_lake: str, method: str
) -> None:
    """What is known is read again, and nothing is asked twice."""
    break_requests(faulty_s3, (Fault.ERROR_500, Fault.CLOSE), r"/judgements/", method, 20)
    judge_through(faulty_s3, s3, failing_lake)


@pytest.mark.chaos
@pytest.mark.parametrize("path", [DATA, COMMIT], ids=["data", "commit"])
@pytest.mark.parametrize("fault", [*REFUSALS, *LIES])
def test_one_fault_for_long(
    s3: S3, faulty_s3: FaultyS3, failing_lake: str, fault: Fault, path: str
) -> None:
    """One kind of fault at one kind of PUT, until every client has given up by itself."""
    (rule,) = break_requests(faulty_s3, [fault], path, times=OFTEN)
    judge_through(faulty_s3, s3, failing_lake)
    assert rule.done


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.chaos) for n in (2, 3))])
def test_two_runners_at_once(s3: S3, faulty_s3: FaultyS3, failing_lake: str, seed: int) -> None:
    """Over one lake whose requests fail: they share the rows, and pay for each answer once."""
    source = random.Random(seed)  # noqa: S311 - a test
    for path in (DATA, COMMIT):
        for fault in source.sample([*REFUSALS, *LIES], 4):
            nth = source.randint(1, 8)
            faulty_s3.inject(fault, "PUT", path, nth=nth, times=2, seconds=PAUSE)
    worlds = [
        World(open_lake(failing_lake, faulty_s3.endpoint), run_id=f"run-{at}", batch_rows=4,
              tokens=iter(range(at * 1_000, at * 1_000 + 999)))
        for at in (1, 2)
    ]  # fmt: skip
    threads = [threading.Thread(target=world.run) for world in worlds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    each_once(s3, failing_lake)
    assert sum(len(world.server.asked) for world in worlds) == ROWS


def test_a_server_that_dies_in_the_run(own_s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run waits until it is back, and asks no question again."""
    for name, value in own_s3.env().items():
        if not name.startswith("GOLDPAN_"):
            monkeypatch.setenv(name, value)
    uri = own_s3.new_lake()
    lake = new_lake(uri, [asked(n) for n in range(ROWS)], s3_endpoint_url=own_s3.endpoint)
    world = World(
        lake,
        retry=Retry(120.0, time.monotonic, threading.Event().wait, random.uniform),
    )
    back: list[threading.Timer] = []

    def die(calls: int) -> None:
        if calls == ROWS // 2:
            own_s3.kill()
            back.append(threading.Timer(1.0, own_s3.restart))
            back[0].start()

    world.server.before = die
    assert world.run().counts.passed == ROWS
    back[0].join()
    assert len(world.server.asked) == ROWS
    each_once(own_s3, uri)
