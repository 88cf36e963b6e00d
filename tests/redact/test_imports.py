"""A worker imports only the detectors that it needs."""

import os
import subprocess
import sys
from importlib.util import find_spec

from tests.servers.shared_expressions import CHILD_PATH

NEEDED = {"hyperscan", "phonenumbers", "regex"}
HEAVY = (*NEEDED, "presidio_analyzer", "spacy", "thinc", "tldextract", "requests", "jinja2")
PLAIN = (
    "redact.pipeline.audit",
    "redact.pipeline.factory",
    "redact.policies.settings",
    "redact.crypto.keys",
    "redact.pipeline.passthrough",
    "redact.policies.policy",
    "redact.crypto.pseudonyms",
    "redact.crypto.sealing",
    "redact.pipeline.redactor",
    "schemas.redacted",
)
"""What a worker needs whatever its policy is."""

_SCRIPT = """
import sys
from importlib import import_module
for name in {plain!r}:
    import_module(name)
policy = import_module("redact.policies.policy").load_policy({policy!r})
keys = import_module("redact.crypto.keys").Keys.derive(bytes(32))
import_module("redact.pipeline.factory").build_redactor(policy, keys, audit=True)
print(*[name for name in {heavy!r} if name in sys.modules])
"""


def loaded(policy: str, path: str = "") -> set[str]:
    """Return which of the heavy packages a process has loaded that made a redactor."""
    script = _SCRIPT.format(plain=PLAIN, heavy=HEAVY, policy=policy)
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path or os.environ.get("PYTHONPATH", "")},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return set(run.stdout.split())


def test_without_redaction_no_detector_is_loaded() -> None:
    """The policy `off` leaves hyperscan, Presidio, spaCy and their like on the disk."""
    assert loaded("off") == set()
    assert all(map(find_spec, HEAVY))


def test_redaction_loads_neither_presidio_nor_spacy() -> None:
    """Their recognisers and rules are used, but not their engines."""
    assert loaded("strict", CHILD_PATH) == NEEDED
