"""Addresses of mail and machines, also inside a company's own network."""

import re
from functools import lru_cache

import tldextract
from presidio_analyzer import Pattern, PatternRecognizer
from presidio_analyzer.predefined_recognizers import EmailRecognizer

_SNAPSHOT = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
"""The list of suffixes as it was packed: asking the network would tell it what is being read."""


_LETTERS = re.compile(r"\.[a-z]{2,24}\Z")


@lru_cache(maxsize=4096)
def _is_public(domain: str) -> bool:
    return bool(_SNAPSHOT(domain).suffix)


class MailRecogniser(EmailRecognizer):
    """Presidio's recogniser, without its call to the network, and with internal domains."""

    def __init__(self, internal_domains: list[str]) -> None:
        self._internal = tuple(f".{domain}" for domain in internal_domains)
        super().__init__(name="EmailRecognizer")

    def validate_result(self, pattern_text: str) -> bool | None:
        """Be sure of a public suffix or an internal domain, and unsure of any other in letters.

        What ends otherwise is none: `lodash@4.17.21` is the version of a package.
        """
        domain = "." + pattern_text.rpartition("@")[2].casefold()
        if domain.endswith(self._internal) or _is_public(domain[1:]):
            return True
        return None if _LETTERS.search(domain) else False


class HostRecogniser(PatternRecognizer):
    """Finds the names of machines below internal domains."""

    def __init__(self, internal_domains: list[str]) -> None:
        ends = "|".join(re.escape(domain) for domain in internal_domains)
        name = rf"(?<![\w.@-])(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,8}}(?:{ends})(?![\w-]|\.\w)"
        super().__init__(
            supported_entity="HOST",
            patterns=[Pattern("Internal host", name, 0.8)],
            name="InternalHost",
        )


class SpokenPhoneRecogniser(PatternRecognizer):
    """Finds digits that only their context makes a telephone number, whatever their region."""

    PATTERNS = (
        Pattern(
            "Digits",
            r"(?<![\w.,$€£+-])\+?[(]?[0-9](?:[ ().\-/]{0,2}[0-9]){6,14}(?![\w]|[.,:]\d)",
            0.1,
        ),
    )

    def __init__(self) -> None:
        super().__init__(
            supported_entity="PHONE_NUMBER",
            patterns=list(self.PATTERNS),
            context=["phone", "telephone", "mobile", "cell", "cellphone", "fax", "whatsapp", "sms"],
            name="SpokenPhone",
        )
