"""All detectors of a policy as one: as the text stands, as it reads, and by the policy's own words.

A value counts if it is found in either form of the text, so undoing a disguise can only add.
"""

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterator

from redact.accelerated import AcceleratedDetector
from redact.findings import Detector, Finding
from redact.kinds import NUMBER_LIKE
from redact.normalise import mapped, normalise
from redact.policy import Policy
from redact.recognisers import build_recognisers, least_score

_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{20,}={0,2}(?![A-Za-z0-9+/_=-])")


class PolicyDetector:
    """Finds what a policy asks for in one text; see :class:`redact.findings.Detector`.

    ``wanted`` are the types to look for, all by default. ``until`` tells by when the text under way
    must be done; without it each has its own time.
    """

    def __init__(
        self,
        policy: Policy,
        base: Detector | None = None,
        *,
        wanted: Collection[str] | None = None,
        until: Callable[[], float] | None = None,
    ) -> None:
        self._base = base or AcceleratedDetector(
            build_recognisers(policy, wanted),
            threshold=least_score(policy),
            seconds=policy.text_seconds,
            until=until,
        )
        self._denied = _denied(policy)
        self._base64 = policy.decode_base64

    def find(self, text: str) -> list[Finding]:
        """Return the findings in ``text``, with places in ``text`` itself."""
        found = self._plain(text)
        normal = normalise(text)
        if normal is not None:
            found += mapped(normal, self._plain(normal.text))
        if self._base64:
            found += self._encoded(text)
        return found

    def _plain(self, text: str) -> list[Finding]:
        found = [f for f in self._base.find(text) if not _of_a_thing(text, f)]
        for kind, pattern in self._denied:
            found += (Finding(kind, m.start(), m.end(), 1.0) for m in pattern.finditer(text))
        return found

    def _encoded(self, text: str) -> Iterator[Finding]:
        """Yield the runs of base64 that hold text in which something is found."""
        for match in _BASE64.finditer(text):
            inner = _decoded(match[0])
            if inner:
                for finding in self.find(inner):
                    yield finding.at(match.start(), match.end())


_THING = re.compile(
    r"\b(?:items?|orders?|sku|products?|articles?|invoices?|tickets?|cases?|shipments?|tracking|"
    r"variants?|parts?|builds?|versions?|bookings?|reservations?|certificates?|flights?)"
    r"(?:[ _-](?:ids?|numbers?|nos?\.?|codes?))?(?: is| are)?[ ]?[:#=(]?[ ]?[#\"'`*]{0,3}\Z",
    re.IGNORECASE,
)
_LOOK_BACK = 40


def _of_a_thing(text: str, finding: Finding) -> bool:
    """Tell whether a number belongs to a thing: the end of an identifier as in
    `gift_card_1647044`, or bare digits after a word as in `item 1656367028`.
    """
    start = finding.start
    if start < 2 or finding.type not in NUMBER_LIKE:
        return False
    before, further = text[start - 1], text[start - 2]
    if (before == "_" and further.isalnum()) or (before == "-" and further.isalpha()):
        return True
    if finding.type == "CREDIT_CARD" or not text[start : finding.end].isdecimal():
        return False
    return _THING.search(text, max(start - _LOOK_BACK, 0), start) is not None


def _decoded(run: str) -> str | None:
    """Return the text that a run of base64 holds, None if it holds none."""
    standard = run.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        data = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
        text = data.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return text if text.isprintable() or "\n" in text else None


def _denied(policy: Policy) -> list[tuple[str, re.Pattern[str]]]:
    return [
        (kind, re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE))
        for kind, words in policy.deny.items()
        if words
    ]


def belongs_to_thing(text, start, end, kind):
    return _of_a_thing(text, Finding(kind, start, end, 1.0))
