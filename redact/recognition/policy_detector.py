"""The detector of a policy: searches a text both as written and normalised.

A value counts if it is found in either form of the text, so normalising can only add findings.
"""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterator

from redact.lexical.findings import Detector, PiiFinding
from redact.lexical.normalisation import map_to_original, normalise
from redact.lexical.thing_numbers import belongs_to_thing, is_within_code
from redact.policies.policy import RedactionPolicy
from redact.recognition.accelerated_detector import AcceleratedDetector
from redact.recognition.catalogue import build_recognisers, lowest_score
from redact.recognition.matching.edges import standalone_expression
from redact.recognition.matching.labelled_numbers import LABELLED_SCORE

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{20,}={0,2}(?![A-Za-z0-9+/_=-])")


class PolicyDetector:
    """Finds what a policy asks for in one text; see :class:`redact.lexical.findings.Detector`.

    ``types`` are the types to search for, all by default. ``until`` returns the deadline of the
    current text; without it each text has its own time limit.
    """

    def __init__(
        self,
        policy: RedactionPolicy,
        base: Detector | None = None,
        *,
        types: Collection[str] | None = None,
        until: Callable[[], float] | None = None,
    ) -> None:
        self._base = base or AcceleratedDetector(
            build_recognisers(policy, types),
            threshold=lowest_score(policy),
            seconds=policy.text_seconds,
            until=until,
        )
        self._denied = _denied_patterns(policy)
        self._base64 = policy.decode_base64

    def find(self, text: str) -> list[PiiFinding]:
        """Return the findings in ``text``, with offsets into ``text`` itself."""
        findings = self._find_plain(text)
        normal = normalise(text)
        if normal is not None:
            findings += map_to_original(normal, self._find_plain(normal.text))
        if self._base64:
            findings += self._find_encoded(text)
        return findings

    def _find_plain(self, text: str) -> list[PiiFinding]:
        findings = [
            f
            for f in self._base.find(text)
            if not (
                is_within_code(text, f.start, f.end)
                if f.score == LABELLED_SCORE
                else belongs_to_thing(text, f.start, f.end, f.type)
            )
        ]
        for kind, pattern in self._denied:
            findings += (PiiFinding(kind, m.start(), m.end(), 1.0) for m in pattern.finditer(text))
        return findings

    def _find_encoded(self, text: str) -> Iterator[PiiFinding]:
        """Yield the runs of base64 that encode text with findings."""
        for match in _BASE64.finditer(text):
            inner = _decode_run(match[0])
            if inner:
                for finding in self.find(inner):
                    yield finding.at(match.start(), match.end())


def _decode_run(run: str) -> str | None:
    """Return the text that a run of base64 encodes, None if it is not text."""
    standard = run.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        data = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
        text = data.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return text if text.isprintable() or "\n" in text else None


def _denied_patterns(policy: RedactionPolicy) -> list[tuple[str, re.Pattern[str]]]:
    return [
        (kind, re.compile("|".join(map(standalone_expression, words)), re.IGNORECASE))
        for kind, words in policy.deny.items()
        if words
    ]
