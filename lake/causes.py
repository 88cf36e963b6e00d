"""Describes failures of delta-rs and pyarrow without quoting their messages.

Their texts may quote the content of a log or of a row, so they are not passed on. Only what helps
is extracted: the S3 code, the file, the feature of a table, the error of the operating system.
"""

import os
import re
from collections.abc import Callable
from typing import Final

_FILE: Final = r"([\w.=-]+\.(?:json|parquet|crc))"

_Describe = Callable[[re.Match[str]], str]


def _features(match: re.Match[str]) -> str:
    names = ", ".join(sorted(set(re.findall(r"\w+", match[1]))))
    return (
        f"the table has the feature {names}, which goldpan does not support: turn it off with the "
        "program that turned it on"
    )


_PATTERNS: Final[tuple[tuple[str, _Describe], ...]] = (
    (
        r"_last_checkpoint",
        lambda _: (
            "_delta_log/_last_checkpoint names a checkpoint that does not exist: remove that "
            "file, so that the log is read from its beginning"
        ),
    ),
    (r"(?:reader|writer) features: \{([^}]{1,200})\}", _features),
    (r"[Ff]eature '?(\w{1,60})'? is not supported", _features),
    (r"(?s)found gap.*?" + _FILE, lambda m: f"the log lacks a commit after {m[1]}"),
    (r"Json error|Invalid JSON", lambda _: "a commit in the log is damaged"),
    (r"<Code>(\w{1,60})</Code>", lambda m: f"S3 returned {m[1]}"),
    (r"necessary privileges", lambda _: "S3 denies access"),
    (r"Failed to open local file '.*?" + _FILE + r"'.*\[errno 2\]", lambda m: f"{m[1]} is missing"),
    (r"(?s)location \S*?" + _FILE + r"\S* not found", lambda m: f"{m[1]} is missing"),
    (
        r"input source '\S*?" + _FILE + "'.*(?:magic bytes|not a parquet file)",
        lambda m: f"{m[1]} is not a Parquet file or is truncated",
    ),
    (r"status(?: code)?:? ?(\d{3})\b", lambda m: f"HTTP status {m[1]}"),
    (r"\(os error (\d{1,3})\)", lambda m: os.strerror(int(m[1]))),
    (r"(?i)connection refused", lambda _: "the connection was refused"),
    (r"(?i)timed? ?out", lambda _: "it timed out"),
    (r"(?i)certificate", lambda _: "the server's certificate is not trusted"),
    (r"Generic S3 error", lambda _: "an S3 error"),
)


def describe_cause(error: BaseException) -> str:
    """Return the type of an error and the part of its text that is safe and helps."""
    name, text = type(error).__name__, str(error)
    for pattern, describe in _PATTERNS:
        match = re.search(pattern, text)
        if match:
            return f"{name}: {describe(match)}"
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    return name
