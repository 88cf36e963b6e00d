"""Redaction: finds personal data, replaces it by policy, and scans the output once more.

Pure: no Kafka, and no files except its own policies, word lists and model. Imports schemas only.
Some modules may be compiled; see `redact.build`.
"""

import redact.build  # noqa: F401  # before any module that may be compiled
