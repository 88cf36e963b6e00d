"""Opens the kept runs of gates: where they are."""

from typing import Final

from batch.gate.run_store import GateRunStore
from goldpan import release_setup
from goldpan.settings import Settings
from lake.location import LakeLocation

EVALUATIONS: Final = "evaluations"
"""The folder of the lake that holds the runs of gates."""


def open_gate_runs(settings: Settings) -> GateRunStore:
    """Return the kept runs of the lake."""
    lake = settings.lake
    files = LakeLocation(lake.uri, lake.s3_endpoint_url).files(EVALUATIONS)
    return GateRunStore(files, release_setup.release_retry())
