"""A process that redacts reaches its memory in the first quarter of a run, and stays there."""

import subprocess
import sys

import pytest

from tests.architecture.source import ROOT

QUARTERS = """
import itertools, resource
from benchmarks.varied_traffic import endless
from redact.crypto.keys import Keys
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import load_policy
from stream.memory import tune_collector
from tests.redact.kit import NOW, decoded

redactor = PolicyRedactor(load_policy("strict"), Keys.derive(bytes(32)), audit=True)
tune_collector()
traffic = endless()
for quarter in range(4):
    for _ in range(300):
        redactor.redact(decoded(list(itertools.islice(traffic, 100))), ingested_at=NOW)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.chaos  # 120,000 records, which fill the shipped caches; `test_memory.py` always runs
def test_peaks_of_the_quarters_are_within_a_twentieth_of_one_another() -> None:
    """The caches are full after some 18,000 records of which no conversation comes twice."""
    done = subprocess.run(
        [sys.executable, "-c", QUARTERS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    peaks = list(map(int, done.stdout.split()))
    assert len(peaks) == 4
    assert max(peaks) <= 1.05 * min(peaks), peaks
