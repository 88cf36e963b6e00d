"""Memory is shared out within the ceiling, and reading stops and goes on in time."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import UsageError
from stream.memory import (
    FIRST_USE_BYTES,
    MIN_HEADROOM_BYTES,
    RECOMMENDED_BYTES,
    MemoryBudget,
    MemoryGate,
    describe_memory_shortage,
    format_mib,
    read_container_limit,
    read_resident_bytes,
    release_unused,
)
from tests.architecture.source import ROOT

MIB = 2**20
BUDGET = MemoryBudget.plan(768 * MIB, 200 * MIB)


@given(st.integers(0, 2**34), st.integers(0, 2**34))
def test_the_parts_fit_into_the_ceiling(ceiling: int, baseline: int) -> None:
    """Rows twice (they are encoded), what is fetched ahead, a batch: below the ceiling."""
    try:
        budget = MemoryBudget.plan(ceiling, baseline)
    except UsageError:
        assert ceiling < baseline + FIRST_USE_BYTES + MIN_HEADROOM_BYTES
        return
    taken = baseline + 2 * budget.buffers + budget.fetch_queue + 3 * budget.batch
    assert taken <= ceiling
    assert min(budget.buffers, budget.fetch_queue, budget.batch) > 0


def test_too_little_is_refused_with_what_would_do() -> None:
    """In one unit: the least that is accepted, and what the page on capacity advises."""
    with pytest.raises(UsageError, match="MEMORY_BYTES") as refused:
        MemoryBudget.plan(10 * MIB, 200 * MIB)
    assert "10MiB is too little" in str(refused.value)
    least = int(str(refused.value).split("the minimum is ")[1].split("MiB")[0])
    MemoryBudget.plan(least * MIB, 200 * MIB)
    with pytest.raises(UsageError):
        MemoryBudget.plan((least - 1) * MIB, 200 * MIB)
    page = (ROOT / "docs" / "capacity.md").read_text()
    assert f"{format_mib(RECOMMENDED_BYTES)} or more" in page
    assert f"set {format_mib(RECOMMENDED_BYTES)} or more" in str(refused.value)


@pytest.mark.parametrize(
    ("ceiling", "container", "told"),
    [
        (1024, 1180, None),
        (1024, None, None),
        (768, 845, None),
        (1024, 1024, "limit to 1127MiB"),
        (1024, 512, "limit is 512MiB"),
        (512, None, "768MiB or more is recommended"),
        (512, 300, "limit to 564MiB"),
    ],
)
def test_limits_that_are_too_low_are_reported(
    ceiling: int, container: int | None, told: str | None
) -> None:
    """That of the container, in which the kernel would end the worker, and the worker's own."""
    limit = None if container is None else container * MIB
    said = describe_memory_shortage(ceiling * MIB, limit)
    assert said is None if told is None else told in (said or "")


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("memory.max", "536870912\n", 512 * MIB),
        ("memory.max", "max\n", None),
        ("memory/memory.limit_in_bytes", "536870912\n", 512 * MIB),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", None),
    ],
)
def test_the_limit_of_the_container_is_read(
    tmp_path: Path, name: str, text: str, limit: int | None
) -> None:
    """As both versions of cgroups write it; none is no limit."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert read_container_limit(tmp_path) == limit


@given(st.integers(1, 2**40))
def test_one_buffer_can_fill_while_another_is_written(wanted: int) -> None:
    """However large flushes are meant to be, two of them fit into the buffers."""
    assert 1 <= BUDGET.flush_bytes(wanted) <= min(wanted, BUDGET.buffers // 2)


class Process:
    """A process whose size is what it holds and what its allocators keep."""

    def __init__(self, held: int = 0, kept: int = 0, releasable: int = 0) -> None:
        self.held = held
        self.kept = kept
        self.releasable = releasable
        self.now = 0.0
        self.released = 0

    def resident(self) -> int:
        """Return the size."""
        return self.held + self.kept

    def release(self) -> None:
        """Give back what can be given back."""
        self.released += 1
        self.kept -= self.releasable
        self.releasable = 0

    def gate(self) -> MemoryGate:
        """Return the gate of this process."""
        return MemoryGate(BUDGET, self.resident, self.release, lambda: self.now)


def test_it_closes_when_the_buffers_are_full_and_opens_well_below() -> None:
    """Between the two limits it stays as it is."""
    gate = Process().gate()
    shares = [0.5, 0.9, 1.0, 0.9, 0.71, 0.7, 0.9, 1.0]
    states = [gate.update(int(BUDGET.buffers * share)) for share in shares]
    assert states == [False, False, True, True, True, False, False, True]


def test_it_closes_near_the_ceiling() -> None:
    """Whatever it is that takes the memory."""
    process = Process(held=BUDGET.ceiling)
    gate = process.gate()
    assert gate.update(BUDGET.buffers // 2)
    process.held = BUDGET.ceiling // 2
    assert not gate.update(BUDGET.buffers // 2)


def test_what_allocators_keep_is_given_back_first() -> None:
    """Memory that nobody uses does not stop the reading."""
    process = Process(held=BUDGET.ceiling // 2, kept=BUDGET.ceiling // 2, releasable=300 * MIB)
    assert not process.gate().update(BUDGET.buffers // 2)
    assert process.released == 1


def test_what_allocators_keep_for_good_does_not_make_small_flushes_for_ever() -> None:
    """Near the ceiling for ever, a flush is still made of more than one batch."""
    gate = Process(kept=BUDGET.ceiling).gate()
    assert not gate.update(0)
    assert not gate.update(BUDGET.least_flush)
    assert gate.update(BUDGET.least_flush + 1)
    assert BUDGET.least_flush > BUDGET.batch


def test_tidying_up_is_not_done_at_every_turn() -> None:
    """It takes time; once a second is enough."""
    process = Process(kept=BUDGET.ceiling)
    gate = process.gate()
    for tenth in range(25):
        process.now = tenth / 10
        gate.update(0)
    assert process.released == 3


def test_what_a_flush_has_freed_is_given_back_at_times() -> None:
    """Far from the ceiling too, else the next peak is on top of it; and not at every flush."""
    process = Process(kept=200 * MIB, releasable=150 * MIB)
    gate = process.gate()
    for second in range(25):
        process.now = float(second)
        gate.trim()
    assert process.released == 3
    assert process.resident() == 50 * MIB


@pytest.mark.parametrize("call", [release_unused, lambda: read_resident_bytes() >= 0])
def test_the_system_is_asked_in_a_way_that_it_knows(call: Callable[[], object]) -> None:
    """Neither raises, wherever this runs."""
    call()


@pytest.mark.parametrize(
    ("asked", "expected"), [(None, {"jemalloc", "mimalloc", "system"}), ("system", {"system"})]
)
def test_the_pool_that_somebody_asked_for_is_kept(asked: str | None, expected: set[str]) -> None:
    """Else it is jemalloc, or where that is not there what Arrow takes by itself."""
    code = (
        "import pyarrow as pa; from stream.memory import use_jemalloc_pool; use_jemalloc_pool();"
        "print(pa.default_memory_pool().backend_name)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ARROW_DEFAULT_MEMORY_POOL"}
    if asked:
        environment["ARROW_DEFAULT_MEMORY_POOL"] = asked
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    found = done.stdout.strip()
    assert found in expected
    if asked is None and "jemalloc" in pa.supported_memory_backends():
        assert found == "jemalloc"
