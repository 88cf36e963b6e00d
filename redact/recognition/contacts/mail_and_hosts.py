"""Recognisers for e-mail addresses and host names, including internal domains."""

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any

from redact.recognition.matching.edges import LEFT
from redact.recognition.matching.judged_matches import JudgedRecogniser, JudgedSpan
from redact.recognition.matching.lazy_patterns import ScoredPattern, compile_expression
from redact.recognition.matching.pattern_recogniser import PatternRecogniser

_LATIN = "A-Za-z0-9\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_LOCAL = rf"(?<![{_LATIN}])[{_LATIN}](?:[{_LATIN}._+'-]{{0,126}}[{_LATIN}_+-])?"
_LABEL = rf"[{_LATIN}](?:[{_LATIN}-]{{0,61}}[{_LATIN}])?"
MAIL_EXPRESSION = rf"{_LOCAL}@(?:{_LABEL}\.){{1,8}}[A-Za-z]{{2,24}}"
"""Quotation marks, slashes and equals signs end an address: RFC 5322 allows them in a mailbox, but
real mailboxes have none."""

_ANY = r"[^\W_](?:[\w.+'-]{0,62}[^\W_])?"
FOREIGN_MAIL_EXPRESSION = rf"{_ANY}@(?:{_ANY}\.){{1,8}}[^\W\d_]{{2,24}}"
"""An address with letters of any script (RFC 6531)."""

_LAST = re.compile(r"\.[a-z]{2,24}\Z")
_CAPITAL = re.compile(r"(?<=[a-z])[A-Z]")
_PACKAGE = re.compile(r"[0-9]+(?:\.[0-9]+)+\.[a-z]+", re.IGNORECASE)
"""A version and a file extension: `lodash@7.19.17.csv`."""
_SURE, _UNSURE = 1.0, 0.5
_SHORTEST_LABELS = 2
_FILES = frozenset({"git@github.com", "git@gitlab.com", "git@bitbucket.org"})
"""The shared account that everybody uses to read a repository."""


@lru_cache(maxsize=4096)
def has_public_suffix(domain: str) -> bool:
    """Return whether a domain ends with a public suffix."""
    return bool(_suffix_list()(domain).suffix)


@lru_cache(maxsize=1)
def _suffix_list() -> Any:
    """Return the packaged list of suffixes: a network request would leak what is being read.

    Its module imports a client of HTTP, so it waits for the first address.
    """
    return import_module("tldextract").TLDExtract(suffix_list_urls=(), cache_dir=None)


class MailRecogniser(JudgedRecogniser):
    """Finds mail addresses with a public suffix or an internal domain.

    An ASCII address ends where its alphabet ends; a word that touches it is not part of it.
    """

    mark = "@"

    def __init__(self, internal_domains: list[str]) -> None:
        self._internal = tuple(f".{domain}" for domain in internal_domains)
        super().__init__(
            supported_entity="EMAIL_ADDRESS",
            patterns=[
                ScoredPattern("Mail", MAIL_EXPRESSION, _UNSURE),
                ScoredPattern("Abroad", FOREIGN_MAIL_EXPRESSION, _UNSURE),
            ],
            name="EmailRecognizer",
        )

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield the address without a word that touches its end.

        A domain that ends in digits is not one: `lodash@4.17.21` is a package version. A domain
        without a public suffix scores less.
        """
        start, end = match.span()
        address = match[0]
        if match.re.pattern == FOREIGN_MAIL_EXPRESSION and (
            address.isascii() or _reads_as_ascii(address)
        ):
            return
        at = address.index("@")
        domain = self._trim(address[at + 1 :])
        end = start + at + 1 + len(domain)
        name = "." + domain.casefold()
        if text[start:end].casefold() in _FILES:
            return
        if name.endswith(self._internal) or has_public_suffix(domain.casefold()):
            yield start, end, _SURE
        elif _PACKAGE.fullmatch(domain):
            return
        elif _LAST.search(name) or not domain.isascii():
            yield start, end, _UNSURE

    def _trim(self, domain: str) -> str:
        """Cut off a word glued to a domain: `example.comPhone`, `example.com.Then`."""
        labels = domain.split(".")
        last = labels[-1]
        if len(labels) > _SHORTEST_LABELS and last[:1].isupper() and domain[: -len(last)].islower():
            return domain[: -len(last) - 1]
        glued = _CAPITAL.search(last)
        if glued and has_public_suffix(last[: glued.start()]):
            return domain[: len(domain) - len(last) + glued.start()]
        if f".{domain.casefold()}".endswith(self._internal):
            return domain
        shorter = labels
        while len(shorter) > _SHORTEST_LABELS and not has_public_suffix(
            ".".join(shorter).casefold()
        ):
            shorter = shorter[:-1]
        return ".".join(shorter) if has_public_suffix(".".join(shorter).casefold()) else domain


def _reads_as_ascii(address: str) -> bool:
    """Return whether the ASCII expression finds this address: the letters around `@` are Latin."""
    local, _, domain = address.rpartition("@")
    return re.fullmatch(rf"[{_LATIN}._+-]", local[-1]) is not None and (
        re.match(rf"(?:{_LABEL}\.){{1,8}}[A-Za-z]{{2,24}}", domain) is not None
    )


_OF_FILE = r"(?:csv|tsv|json|jsonl|txt|log|xlsx?|pdf|gz|zip|ya?ml|xml|html?|conf|cfg|tar|bak|md)"
"""Extensions of files named after a host: `export_db1.prod.internal.csv`."""
_OF_PROGRAMS = (
    r"self|this|cls|args|opts|options|request|req|config|settings|params|kwargs|com|org|net|io|java|"
    r"javax|sun|google|android|importlib|threading"
)
"""First words of attribute and package names: `self.local`, `com.example.internal`."""


class HostRecogniser(PatternRecogniser):
    """Finds host names in internal domains."""

    def __init__(self, internal_domains: list[str]) -> None:
        ends = "|".join(re.escape(domain) for domain in internal_domains)
        name = (
            rf"(?<![A-Za-z0-9.@-])(?!(?:{_OF_PROGRAMS})\.)"
            rf"(?:[a-z0-9][a-z0-9-]{{0,62}}\.){{1,8}}(?:{ends})"
            rf"(?![A-Za-z0-9-]|\.(?!{_OF_FILE}(?![A-Za-z0-9]))[A-Za-z0-9]|_[a-z]{{2,}}|\()"
        )
        super().__init__(
            supported_entity="HOST",
            patterns=[ScoredPattern("Internal host", name, 0.8)],
            name="InternalHost",
        )


_AT = (
    r"(?:[ ]?[\[({<][ ]?(?:at|a|@|\u00e4t|arroba|chiocciola|ma\u0142pa|apenstaartje|arobase)"
    r"[ ]?[\])}>][ ]?"
    r"|[ ]{1,2}@[ ]{1,2}|[ ]@|@[ ]|@"
    r"|[ ](?:at|\u00e4t|arroba|chiocciola|ma\u0142pa|arobase|AT|_at_)[ ]|_at_|-at-)"
)
_DOT = (
    r"(?:[ ]?[\[({<][ ]?(?:dot|\.|punkt|punto|point|ponto|kropka|punt)[ ]?[\])}>][ ]?"
    r"|[ ]\.[ ]|[ ]\.|\.[ ](?=[a-z])|\."
    r"|[ ](?:dot|punkt|punto|point|ponto|kropka|punt|DOT)[ ]|_dot_|-dot-)"
)
_ENDS = (
    r"(?:c[ ]?o[ ]?m|o[ ]?r[ ]?g|n[ ]?e[ ]?t|edu|gov|mil|int|info|biz|io|co|ai|app|dev|me|de|at|"
    r"ch|fr|es|it|nl|be|pl|pt|br|"
    r"mx|ar|cl|se|no|dk|fi|cz|sk|hu|ro|gr|ie|eu|uk|us|ca|au|nz|in|jp|cn|kr|sg|hk|za|ru|ua|tr|il)"
)
_SPACED = r"(?:[a-z0-9][ ]){2,20}[a-z0-9]"
_PART = rf"(?:[a-z0-9](?:[a-z0-9_+-]{{0,40}}[a-z0-9])?|{_SPACED})"
_LOCAL_DOT = (
    r"(?:[ ]?[\[({<][ ]?(?:dot|\.|punkt|punto|point|ponto)[ ]?[\])}>][ ]?|\.|[ ](?:dot|punkt|"
    r"punto|point|ponto|underscore|dash)[ ])"
)
DISGUISED_MAIL_EXPRESSION = (
    rf"{LEFT}{_PART}(?:{_LOCAL_DOT}{_PART}){{0,4}}{_AT}"
    rf"(?:{_PART}{_DOT}){{1,4}}{_ENDS}(?![A-Za-z0-9]|[ ]?\()"
)
_MIDDLE = rf"{_AT}{_PART}{_DOT}"
_OUTSIDE = re.compile(r"[^\w .+@\[\](){}<>-]")
"""A character that no such address has."""
_WORDY = re.compile(r"[ ](?:at|\u00e4t|arroba|chiocciola|arobase|ma\u0142pa)[ ]", re.IGNORECASE)
_ORDINARY = re.compile(
    r"(?:"
    r"a|an|the|is|are|was|am|be|it|me|us|we|you|he|she|they|look|looked|"
    r"looking|looks|see|seen|meet|met|stay|stayed|work|works|worked|working|live|"
    r"lives|here|there|available|visit|find|found|arrive|arrived|shop|buy|bought|"
    r"sold|stop|stopped|start|started|begin|began|end|ended|check|read|not|now|"
    r"and|or|of|on|in|to|for|from|by|with|good|best|bad|sign|signs|aim|call|"
    r"laugh|point|up|all|only|just|more|less|least|later|time|day|hosted|docs|"
    r"site|page|blog|store|support|example|code|tests|run|runs|running|listen|"
    r"listens|server|service"
    r")"
)
"""Words before `at` that are not a mailbox: `look at example dot com`."""


class DisguisedMailRecogniser(JudgedRecogniser):
    """Finds mail addresses written to hide them from machines.

    `ana (at) example (dot) com`, `ana at example dot com`, `ana @ example . com`, and any of these
    letter by letter.
    """

    def __init__(self) -> None:
        super().__init__(
            supported_entity="EMAIL_ADDRESS",
            patterns=[ScoredPattern("Disguised mail", DISGUISED_MAIL_EXPRESSION, 0.75)],
            name="DisguisedMail",
        )

    def stretches(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the runs of an address's characters around the middle of one.

        The middle is from its `at` to its first `dot`.
        """
        middle = compile_expression(_MIDDLE, self.global_regex_flags)
        end = 0
        found = middle.search(text)
        while found is not None:
            before = text[end : found.start()]
            outside = _OUTSIDE.search(before[::-1])
            start = found.start() - outside.start() if outside else end
            outside = _OUTSIDE.search(text, found.end())
            end = outside.start() if outside else len(text)
            yield start, end
            found = middle.search(text, end)

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield the match unless it is an ordinary address, or a sentence."""
        del text
        start, end = match.span()
        address = match[0]
        if " " not in address and not any(mark in address for mark in "[({<") and "@" in address:
            return
        wordy = _WORDY.search(address)
        if wordy:
            local = address[: wordy.start()].casefold()
            dotted = re.search(r"[ \[({<.]", local) is not None
            if _ORDINARY.fullmatch(local) or (not dotted and "." in address[wordy.end() :]):
                return  # `look at example dot com`, `we met at example.com`
        elif re.search(r"[a-z0-9]@[ ]|[ ]@[a-z]", address, re.IGNORECASE) and ". " in address:
            return
        yield start, end, 0.75


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_NET_DOT = r"[ ]?(?:[\[({][ ]?(?:\.|dot|punkt|punto|point)[ ]?[\])}]|[ ]dot[ ])[ ]?"


class DisguisedMachineRecogniser(PatternRecogniser):
    """Finds `192[.]0[.]2[.]146`, as security reports write machine addresses."""

    def __init__(self) -> None:
        form = rf"(?<![0-9A-Za-z]){_OCTET}(?:{_NET_DOT}{_OCTET}){{3}}(?![0-9A-Za-z])"
        partly = (
            rf"(?<![0-9A-Za-z.]){_OCTET}(?:\.{_OCTET}){{0,2}}{_NET_DOT}{_OCTET}"
            rf"(?:\.{_OCTET}){{0,2}}(?![0-9A-Za-z.])"
        )
        super().__init__(
            supported_entity="IP_ADDRESS",
            patterns=[
                ScoredPattern("Disguised", form, 0.75),
                ScoredPattern("Partly", partly, 0.75),
            ],
            name="DisguisedAddress",
        )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse a match without exactly four numbers."""
        return len(re.findall(r"[0-9]+", pattern_text)) != 4  # RFC 791
