"""Recogniser for IP addresses, as opposed to version numbers, section numbers and loopback."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any

from redact.recognition.matching.judged_matches import JudgedRecogniser, JudgedSpan
from redact.recognition.matching.lazy_patterns import ScoredPattern

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)"
IPV4_EXPRESSION = rf"(?<![0-9])(?<![0-9]\.){_OCTET}(?:\.{_OCTET}){{3}}(?![0-9]|\.[0-9])"
_TAIL = r"[0-9A-Fa-f:]{2,35}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3})?"
IPV6_EXPRESSION = (
    r"(?<![0-9A-Za-z:])(?:(?:[23][0-9A-Fa-f]{3}|f[cd][0-9A-Fa-f]{2}|fe[89ab][0-9A-Fa-f]):|"
    r"64:ff9b::|"
    rf"::ffff:){_TAIL}"
)
"""Addresses start like assigned ones (RFC 4291, RFC 4193, RFC 6052), unlike times of day and class
names with colons."""

_SCORE = 0.6
_WORDS = (
    r"(?:ips?|ipv4|inet|addr(?:ess(?:es)?)?|adresse?|direcci\u00f3n|hosts?|peer|client|server|"
    r"gateway|"
    r"router|nameserver|resolver|dns|ping|ssh|traceroute|nat|dhcp|bind|listen(?:ing)?|"
    r"connect(?:ed|ing)?|remote|login|visitor|src|dst|blocked|banned)"
)
_OF_ADDRESS = re.compile(rf"(?<![A-Za-z]){_WORDS}(?![A-Za-z])[^\n0-9]{{0,20}}\Z", re.IGNORECASE)
_PRODUCTS = (
    "version|versions|v|ver|rev|release|build|firmware|driver|kernel|patch|update|upgrade|section|"
    "sections|sec|chapter|clause|paragraph|para|article|appendix|figure|fig|table|step|rule|annex|"
    "kapitel|abschnitt|ziffer|punkt|nginx|apache|httpd|haproxy|envoy|traefik|caddy|postgres|"
    "postgresql|mysql|mariadb|redis|mongodb|sqlite|oracle|elasticsearch|kafka|openssl|openssh|curl|"
    "chrome|chromium|firefox|edge|safari|opera|edg|webkit|windows|macos|ios|android|linux|ubuntu|"
    "debian|python|java|jdk|jre|openjdk|node|nodejs|php|ruby|perl|go|golang|rust|dotnet|net|"
    "tensorflow|torch|pytorch|cuda|cudnn|docker|kubernetes|helm|terraform|ansible|jenkins|git|"
    "gradle|maven|npm|yarn|office|excel|outlook|teams|zoom|unity|unreal|wordpress|drupal|sap"
)
_OF_VERSION = re.compile(
    rf"(?:(?:(?<![A-Za-z])|(?<=\\[nrt]))(?:{_PRODUCTS})(?:[ +](?:is|was|to|from|no\.?|number))?"
    r"[ +]?[:=]?[ ]?v?"
    r"|(?<![A-Za-z])(?:versions?|ver|v|rev|revision|release|build|firmware)"
    r"(?:[;\n+]|%(?:20|0[AaDd]|2[Bb]|3[AaBbDd])){1,3}v?"
    r"|(?<![A-Za-z])(?:version|build|release|revision|firmware|upgrade|update)[ ]?\(v?"
    r"|[A-Za-z0-9](?:/|%2[Ff])v?"
    r"|(?<![A-Za-z])v|(?:==|>=|<=|~=|~>|\^|(?<!~)~)[ ]?|[A-Za-z]@v?|[A-Za-z]-v?|"
    r"\u00a7[ ]?"
    r"|\u30d0\u30fc\u30b8\u30e7\u30f3|\u7248\u672c|\ubc84\uc804)\Z",
    re.IGNORECASE,
)
_KEYED = re.compile(
    r"(?:ip|addr|address|host|hostname|client|server|peer|src|dst|remote)[\"']?[=]\Z", re.I
)
_PATH = re.compile(
    r"(?:https?|ftp|ssh|tcp|udp|wss?|redis|postgres|mysql|amqp|//|\\\\)[:/]*\Z", re.I
)
_ESCAPE = re.compile(r"[^'\"]%\Z")
_SPACED = re.compile(r"(?:09|2[0-9])[0-9]")
_LETTER = re.compile(r"[0-9A-Za-z]")
_MASK = re.compile(r"/[0-9]{1,2}(?![0-9])")
_SMALL, _SMALL_FIRST = 100, 10
_LOOK_BACK = 48


class MachineAddressRecogniser(JudgedRecogniser):
    """Finds IPv4 and IPv6 addresses that can belong to a person's machine."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="IP_ADDRESS",
            patterns=[
                ScoredPattern("IPv4", IPV4_EXPRESSION, _SCORE),
                ScoredPattern("IPv6", IPV6_EXPRESSION, _SCORE),
            ],
            context=["ip", "ipv4", "ipv6"],
            name="IpRecognizer",
        )

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield the address, without punctuation around it."""
        start, end = match.span()
        if ":" in match[0]:
            address = match[0].rstrip(":.")
            end = start + len(address)
            if not _LETTER.match(text, end) and _is_ipv6(address):
                yield start, end, _SCORE
        elif _ESCAPE.search(text, max(start - 2, 0), start) and _SPACED.match(match[0]):
            return  # `nginx%201.25.3.1`: an escaped space; the normalised text is searched too
        elif _is_machine_ipv4(match[0]) and not is_version_number(text, start, end):
            yield from [] if _is_network(match[0], text[end : end + 3]) else [(start, end, _SCORE)]


def _is_machine_ipv4(value: str) -> bool:
    """Return whether an address is a machine's: not loopback, unspecified or a mask."""
    first = value.partition(".")[0]
    return int(first) not in (0, 127, 255)


def _is_network(value: str, after: str) -> bool:
    """Return whether an address is a private network, such as `192.168.0.0/16`."""
    mask = _MASK.match(after)
    if mask is None or not value.endswith(".0"):
        return False
    try:
        network = ipaddress.IPv4Network(value + mask[0])
    except ValueError:
        return False
    return network.is_private or network.is_multicast


def _is_ipv6(value: str) -> bool:
    """Return whether characters are an IPv6 address, not just words with colons."""
    if not any(c.isdigit() for c in value):
        return False
    try:
        address = ipaddress.IPv6Address(value)
    except ValueError:
        return False
    mapped = address.ipv4_mapped
    return mapped is None or _is_machine_ipv4(str(mapped))


def is_version_number(text: str, start: int, end: int) -> bool:
    """Return whether four dotted numbers are a version or a section, not an address."""
    before = text[max(start - _LOOK_BACK, 0) : start]
    if _PATH.search(before) or _KEYED.search(before):
        return False
    if before[-1:] == "/" and before.rpartition(" ")[2].count("/") > 1:
        pass  # a path segment: `https://example.com/notes/192.0.2.59`
    elif _OF_VERSION.search(before):
        return True
    parts = [int(part) for part in text[start:end].split(".")]
    if parts[0] >= _SMALL_FIRST or max(parts) >= _SMALL:
        return False
    after = text[end : end + 2]
    return not (_OF_ADDRESS.search(before) or (after[:1] in (":", "/") and after[1:].isdigit()))
