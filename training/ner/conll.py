"""Reads WikiGold, BTC and WNUT17 (CoNLL files) as labelled texts, spaced as people write.

Those corpora label only people, places and organisations. Unlabelled words that might be a date, an
age or a job title are treated as unknown; nationalities are labelled by the list.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from training.ner.labelled import Labelled, Mark
from training.ner.lists import Lists

FILES = (
    "wikigold/wikigold.conll",
    "btc/a.conll", "btc/b.conll", "btc/e.conll", "btc/g.conll", "btc/h.conll",
    "wnut17/train.conll",
)  # fmt: skip

# The corpora's labels, without their B- or I-.
_LABELS = {
    "PER": "PERSON", "person": "PERSON",
    "LOC": "LOCATION", "location": "LOCATION",
    "ORG": "ORGANIZATION", "corporation": "ORGANIZATION", "group": "ORGANIZATION",
}  # fmt: skip
_DATE_OR_AGE = re.compile(
    r"\d.*|(mon|tues|wednes|thurs|fri|satur|sun)days?|january|february|march|april|may|june|july|"
    r"august|september|october|november|december",
    re.IGNORECASE,
)
_NO_SPACE_BEFORE = re.compile(r"[.,;:!?)\]%]+|'(s|re|ve|ll|d|m)|n't|''", re.IGNORECASE)
_NO_SPACE_AFTER = frozenset("([#@$``")


def read(path: Path, lists: Lists) -> Iterator[Labelled]:
    """Yield the sentences of a CoNLL file: a word and its tag a line, blank lines between."""
    nationalities = frozenset(lists.words("places", "demonyms"))
    titles = frozenset(
        word.lower()
        for name in ("honorifics", "posts")
        for entry in lists.words("words", name)
        for word in entry.split()
    )
    rows: list[tuple[str, str]] = []
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        word, _, tag = line.strip().replace("\t", " ").rpartition(" ")
        if word:
            rows.append((word.strip(), tag))
        elif rows:
            yield _sentence(rows, nationalities, titles)
            rows = []


def _sentence(
    rows: list[tuple[str, str]], nationalities: frozenset[str], titles: frozenset[str]
) -> Labelled:
    text, marks, unknown = "", [], []
    no_space, last = True, None
    for word, tag in rows:
        if not no_space and not _NO_SPACE_BEFORE.fullmatch(word):
            text += " "
        no_space = word in _NO_SPACE_AFTER
        start, end = len(text), len(text) + len(word)
        text += word
        prefix, _, kind = tag.partition("-")
        label = _LABELS.get(kind)
        if word.startswith("#"):
            start += 1
        if text[:start].endswith("@") or word.startswith("@"):
            # A user name of Twitter: the corpora disagree whether that is a person.
            unknown.append((start, end))
            last = None
            continue
        if label and prefix == "I" and last == label and marks:
            marks[-1] = Mark(marks[-1].start, end, label)
        elif label:
            marks.append(Mark(start, end, label))
        elif word in nationalities:
            marks.append(Mark(start, end, "NRP"))
        elif _DATE_OR_AGE.fullmatch(word) or word.lower() in titles:
            unknown.append((start, end))
        last = label
    return Labelled(text, tuple(marks), tuple(unknown))
