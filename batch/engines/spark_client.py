"""Opens a session on a Spark Connect server, and says what went wrong in goldpan's kinds of error.

This module needs the extra `spark`. Messages name the condition that Spark gives, never its text,
which may quote a row.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc
from pyspark.errors import PySparkException
from pyspark.sql.connect.client import DefaultChannelBuilder
from pyspark.sql.connect.client.retries import DefaultPolicy
from pyspark.sql.connect.session import SparkSession

from batch.engines.missing_files import missing_files
from schemas.errors import FatalError, GoldpanError, RetryableError, UsageError

_RETRIES: Final = 6
"""How often a call is repeated while the server cannot be reached: for about ten seconds."""
_LONGEST_WAIT_MS: Final = 4_000

_URL: Final = re.compile(
    r"sc://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]+)?(/(;[a-z0-9_.-]+=[!-:<>-~]*)*)?"
)
"""The client takes more, and leaves out what it does not know: a name, a password, a query."""
_SECRETS: Final = ("token", "authorization")
_SWITCH: Final = ("true", "false")

_REFUSED: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED"})
_LOST: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED"})
_LOST_SESSION: Final = ("INVALID_HANDLE", "NO_ACTIVE_SESSION")
_MISSING_FILES: Final = ("FAILED_READ_FILE.FILE_NOT_EXIST", "DELTA_FILE_NOT_FOUND")
SESSION_SETTINGS: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    # Rows of files that are missing must not be left out without a word.
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
}
"""The settings that queries rely on, whatever a server begins with."""


def open_session(url: str, token: str | None) -> tuple[SparkSession, str]:
    """Return a new session of a server, with the time zone UTC, and the server's address.

    Raises UsageError for a url that is none, otherwise as `spark_errors`.
    """
    builder = _builder_of(url)
    if token is not None:
        if not token.isascii() or not token.isprintable() or not token:
            raise UsageError("--engine-token-file: the file has to hold one token, on one line")
        builder.set(DefaultChannelBuilder.PARAM_TOKEN, token)
    # What the client warns of is said again by the error that follows.
    warnings.filterwarnings("ignore", message=r"\[RETRIES_EXCEEDED\]")
    with spark_errors(builder.endpoint):
        session = SparkSession.builder.channelBuilder(builder).create()
        session.client.set_retry_policies(
            [DefaultPolicy(max_retries=_RETRIES, max_backoff=_LONGEST_WAIT_MS)]
        )
        for name, value in SESSION_SETTINGS.items():
            session.conf.set(name, value)
    return session, builder.endpoint


def _builder_of(url: str) -> DefaultChannelBuilder:
    try:
        builder = DefaultChannelBuilder(url)
        is_plain = _URL.fullmatch(url) and builder.getDefault("use_ssl", "true") in _SWITCH
    except (PySparkException, ValueError):
        is_plain = False
    if not is_plain:
        raise UsageError(
            "--engine-url is not the address of a Spark Connect server: sc://HOST:PORT, with "
            "parameters as /;name=value"
        )
    if any(builder.getDefault(name, None) is not None for name in _SECRETS):
        raise UsageError(
            "--engine-url has a token, which other users of this machine can see: put it in a "
            "file for --engine-token-file"
        )
    if builder.getDefault(DefaultChannelBuilder.PARAM_SESSION_ID, None) is not None:
        raise UsageError("--engine-url has a session_id: each job opens a session of its own")
    return builder


def close_session(session: SparkSession) -> None:
    """Close a session, which cancels what it runs; a server that is gone is not waited for."""
    session.client.set_retry_policies([DefaultPolicy(max_retries=0)])
    session.stop()


def checkpoint(session: SparkSession, sql: str) -> Any:
    """Run a query now, and return its rows as the server keeps them.

    The client takes what is kept as the active session's, whoever asked: so this one is active
    meanwhile. Otherwise two sessions at a time would look for it in the first one.
    """
    active = SparkSession._active_session  # the client has no other way
    before = getattr(active, "session", None)
    active.session = session
    try:
        return session.sql(sql).localCheckpoint()
    finally:
        active.session = before


@contextmanager
def spark_errors(endpoint: str, location: str | None = None) -> Iterator[None]:
    """Turn the errors of Spark's client into goldpan's; ``location`` is of a table that is opened.

    Raises RetryableError if the server cannot be reached (any more), UsageError for missing files,
    FatalError otherwise.
    """
    try:
        yield
    except grpc.RpcError as error:
        raise _error_of(_name(error.code()), "", endpoint, location) from None
    except PySparkException as error:
        status = getattr(error, "getGrpcStatusCode", lambda: None)()
        raise _error_of(_name(status), error.getCondition() or "", endpoint, location) from None


def _name(status: Any) -> str:
    return getattr(status, "name", "")


def _error_of(status: str, condition: str, endpoint: str, location: str | None) -> GoldpanError:
    server = f"the Spark server at {endpoint}"
    if status in _REFUSED:
        return FatalError(
            f"{server} refused the token: check --engine-token-file (without it, Spark's client "
            "sends what is in SPARK_CONNECT_AUTHENTICATE_TOKEN)"
        )
    if status in _LOST:
        return RetryableError(
            f"{server} cannot be reached: check that it runs, and --engine-url; then try again"
        )
    if condition.startswith(_LOST_SESSION):
        return RetryableError(f"{server} has lost the session, for it was restarted: try again")
    if condition.startswith(_MISSING_FILES):
        return missing_files()
    if location is not None:
        return unseen_table(endpoint, location, condition or status)
    return FatalError(f"{server} failed to answer a query ({condition or status}): see its log")


def unseen_table(endpoint: str, location: str, reason: str) -> FatalError:
    """Return the error that a server cannot read a table, or reads another one, at a location."""
    return FatalError(
        f"the Spark server at {endpoint} does not see this lake's table at {location} ({reason}): "
        "name the lake as the server sees it with --engine-lake"
    )
