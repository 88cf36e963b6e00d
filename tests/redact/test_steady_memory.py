"""A process that redacts reaches its memory soon, and stays there."""

import subprocess
import sys

import pytest

from tests.architecture.source import ROOT

QUARTERS = """
import gc, itertools, resource
from benchmarks.varied_traffic import endless
from redact.pipeline import segmenter
from redact.policies.policy import load_policy
from redact.rendering import residual_scan
from stream.memory import tune_collector
from tests.redact.kit import NOW, decoded

# So few records fill them; those of the model and of names fill more slowly.
segmenter.SEGMENT_CACHE_BYTES, residual_scan.RESIDUAL_SCAN_BYTES = 4 * 2**20, 2**18
from redact.crypto.keys import Keys
from redact.pipeline.policy_redactor import PolicyRedactor

redactor = PolicyRedactor(load_policy("strict"), Keys.derive(bytes(32)), audit=True)
tune_collector()
traffic = endless()
for quarter in range(4):
    for _ in range(50):
        records = list(itertools.islice(traffic, 100))
        redactor.redact(decoded(records), ingested_at=NOW)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.chaos  # `test_memory.py` always runs
def test_peaks_are_within_a_twentieth_after_the_first_quarter() -> None:
    """Once its caches are full, traffic in which no conversation repeats adds hardly anything."""
    done = subprocess.run(
        [sys.executable, "-c", QUARTERS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    peaks = list(map(int, done.stdout.split()))
    assert len(peaks) == 4
    assert peaks[-1] <= 1.05 * peaks[1], peaks
