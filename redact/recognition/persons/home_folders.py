"""Finds user names in the paths of home folders: `/home/<user>/app`, `C:\\Users\\<user>`.

Such paths are in resource attributes, commands and stack traces. A path of a web site can look the
same (`GET /home/<page>/tools`), so the text before it counts.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from redact.field_keys.dummy_values import has_only_ordinary_words
from redact.field_keys.system_accounts import is_system_account
from redact.lexical.given_names import is_given_name
from redact.recognition.matching.judged_matches import JudgedRecogniser, JudgedSpan
from redact.recognition.matching.lazy_patterns import ScoredPattern

_SCORE: Final = 0.7
_FOLDERS: Final = (
    r"/home/|(?-i:/Users/)|[A-Za-z]:/{1,2}Users/{1,2}|\\Users\\{1,4}"
    r"|(?:\\{1,4}|/)Documents and Settings(?:\\{1,4}|/)"
)
_EXPRESSION: Final = (
    rf"(?:{_FOLDERS})[A-Za-z\u00c0-\u024f][\w.@+-]{{1,40}}(?:[ ](?-i:[A-Z])[a-z]{{1,20}}(?=[/\\]))?"
)
_FOLDER: Final = re.compile(rf".*?(?:{_FOLDERS.replace('(?-i:', '(?:')})", re.IGNORECASE)
_TOKEN: Final = re.compile(r"[^\s\"'`(\[<,;=]{0,200}\Z")
_SITE: Final = re.compile(
    r"(?<![a-z+.-])(?!file:)[a-z][a-z+.-]{1,15}://|[\w-]\.[a-z]{2,}(?::[0-9]+)?\Z", re.I
)
_REQUEST: Final = re.compile(r"\b(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)[ ]\Z")
_PARTS: Final = re.compile(r"[._ +@-]+")
_END: Final = "/\\"
_LOOK_BACK: Final = 200


class HomeFolderRecogniser(JudgedRecogniser):
    """Finds the user name in the path of a home folder."""

    def __init__(self) -> None:
        super().__init__(
            supported_entity="USER_ID",
            patterns=[ScoredPattern("Home folder", _EXPRESSION, _SCORE)],
            name="HomeFolder",
        )

    def may_stand(self, text: str) -> bool:
        """Return whether a text has a folder of homes."""
        folded = text.lower()
        return "/home/" in folded or "users" in folded or "documents and settings" in folded

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield the name, without punctuation at its end."""
        folder = _FOLDER.match(match[0])
        if folder is None:
            return
        start = match.start() + folder.end()
        name = match[0][folder.end() :].rstrip(".-+")
        end = start + len(name)
        if _is_user(name, is_folder=text[end : end + 1] in _END and end < len(text)):
            before = text[max(match.start() - _LOOK_BACK, 0) : match.start()]
            if not _is_web_path(before):
                yield start, end, _SCORE


def _is_web_path(before: str) -> bool:
    """Return whether a path is part of a web address, or the target of a request."""
    token = _TOKEN.search(before)
    return _REQUEST.search(before) is not None or (
        token is not None and _SITE.search(token[0]) is not None
    )


def _is_user(name: str, *, is_folder: bool) -> bool:
    """Return whether a name can be a person's; at the end of a path only if it looks like one."""
    if len(name) < _SHORTEST or is_system_account(name) or has_only_ordinary_words(name):
        return False
    parts = [part for part in _PARTS.split(name) if part]
    return is_folder or len(parts) > 1 or not name.isalpha() or is_given_name(name)


_SHORTEST: Final = 2
