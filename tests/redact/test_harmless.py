"""Ordinary traffic comes out unchanged: ids, times, code, logs, other languages, terms.

The figures over more of it: ``python -m benchmarks.harmless``.
"""

import pytest

from benchmarks.harmless import KINDS, TEXTS, ChangedShare, numbers, words
from tests.redact.kit import content, redacted, said

MOST_IDS = 0.01
MOST = 0.005


def explained(kept: ChangedShare) -> str:
    """Return what was changed."""
    return f"{kept.changed} changed and {kept.refused} refused of {kept.total}: {kept.examples}"


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_things_stay(kind: str) -> None:
    """Of a thousand random numbers of things no record is refused, and as good as none changed."""
    kept = numbers(kind, 1_000)
    assert kept.refused == 0, explained(kept)
    assert kept.share <= (MOST_IDS if kind.startswith("ids") else MOST), explained(kept)


@pytest.mark.parametrize("kind", TEXTS)
def test_texts_that_name_nobody_stay(kind: str) -> None:
    """Fewer than one word in two hundred is lost of each kind of harmless text."""
    kept = words(TEXTS[kind](), 150)
    assert kept.total > 200
    assert kept.share < MOST, explained(kept)


@pytest.mark.parametrize(
    "text",
    [
        "def address(self):\n    return self.socket.getsockname()",
        "self.pwd = pwd\nusername = self.username\nparticipant: Participant",
        "def run(user_name: Annotated[str, Option()]) -> None:",
        "Invalid address: %s\nname = %r",
        "client = Client(client_id=client_id, client_secret=client_secret)",
        "  addr16      assume 16-bit addresses\nZIP_BZIP2 = 12\nself._zip64 = zip64",
        '{"version": "10.18.0.13"}',
        "Plan,Version number\nbasic,23.18.14.16\n",
        "see RFC 822/2047 and RFCs 2045-2047",
        'if [ "$?" -ne "0" ]; then',
        "os.listdir(self.local_part); options.internal_use",
        "com.example.xml.internal",
        "level=info plan=basic timestamp=1702265308723025",
        "status=open&key=a2d942b9-163f-4932-a87a-5f9ee242d810",
        "de36844b-2b46-4842-af19-67b2e30f0254",
        "private networks are 10.0.0.0/8 and 192.168.0.0/16",
        'owner: "Fenway Sports Group"\nmaintainer: Kernel Team',
        "Metadata-Version: 2.4\nName: Pluggable\nAuthor-email: x",
        "[Access Tokens](https://docs.example.org/specs/rfc9068.html)",
        r"{'a\[b': 1, 'c\d': 2}",
    ],
)
def test_what_programs_write_stays(text: str) -> None:
    """Code, types, messages, versions and packages name nobody, though keys in them might."""
    assert content(redacted([said(text)])) == text
