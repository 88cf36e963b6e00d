"""Compiles the expressions of all presets into the installed package, so that no start has to.

    python -m redact.prepare_databases

The image does so when it is built. It takes some seconds for each preset, and needs the right to
write into the package; see `redact.recognition.prepared_databases`.
"""

import sys
from pathlib import Path
from typing import Final

from redact.policies.policy import PRESETS, RedactionPolicy, load_policy
from redact.recognition.accelerated_detector import AcceleratedDetector
from redact.recognition.catalogue import build_recognisers
from redact.recognition.prefilter import prepare_databases
from redact.recognition.prepared_databases import PreparedDatabases

_ROOT: Final = Path(__file__).parents[1]


def expressions_of(policy: RedactionPolicy) -> list[tuple[str, int]]:
    """Return the expressions of a worker with this policy, each with its flags."""
    recognisers = build_recognisers(policy, policy.replaced_types())
    return AcceleratedDetector(recognisers).expressions


def main(root: Path = _ROOT) -> None:
    """Prepare the presets, and print what was written."""
    if (root / "pyproject.toml").exists():
        sys.exit("Not in a source tree: prepared expressions are for an installed goldpan.")
    files: set[Path] = set()
    for preset in PRESETS:
        files.update(prepare_databases(expressions_of(load_policy(preset)), PreparedDatabases()))
    kilobytes = sum(file.stat().st_size for file in files) // 1_000
    print(f"{len(files)} files, {kilobytes:,} kB, in {PreparedDatabases().folder}")


if __name__ == "__main__":
    main()
