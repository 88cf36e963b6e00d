"""Logging: one JSON object per line on standard error, without the content of any record.

goldpan's own entries are an event name with chosen fields. Messages of libraries and of unknown
exceptions may quote record content, so only their origin is logged: logger, exception type, file
and line.
"""

import logging
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from goldpan.error_location import locate_error, path_in_package
from goldpan.settings import LogSettings
from schemas.errors import GoldpanError

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}

EVENTS: Mapping[str, str] = {
    "library_message": "A library logged a warning or an error. Its text is omitted, since it may "
    "quote a record.",
    "process_crashed": "An unexpected error ended the process.",
    "thread_crashed": "An unexpected error ended a thread.",
}
"""Events of this module; the worker's are in `stream.events`."""


def configure_logging(
    settings: LogSettings, stream: TextIO | None = None, *, worker: str | None = None
) -> None:
    """Send all logs of this process to ``stream`` (standard error), in the format of the settings.

    ``worker`` names this worker in every line.
    """
    out = sys.stderr if stream is None else stream
    level = _LEVELS[settings.level]
    structlog.configure(
        processors=[*_worker_name(worker), *_common_processors(), _renderer(settings, out)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [_LibraryHandler()]
    root.setLevel(max(level, logging.WARNING))
    sys.excepthook = _on_uncaught
    threading.excepthook = _on_thread_uncaught


def _worker_name(worker: str | None) -> list[Processor]:
    if worker is None:
        return []

    def name(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {"event": event.pop("event", None), "worker": worker, **event}

    return [name]


def _common_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        describe_exception,
    ]


def _renderer(settings: LogSettings, out: TextIO) -> Processor:
    terminal = out.isatty()
    if settings.format == "console" or (settings.format == "auto" and terminal):
        return structlog.dev.ConsoleRenderer(colors=terminal)
    return structlog.processors.JSONRenderer(sort_keys=False)


def describe_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace ``exc_info`` by type and location of the exception; add the text of our own ones."""
    exc_info = event.pop("exc_info", None)
    error = exc_info if isinstance(exc_info, BaseException) else None
    if exc_info is True:
        error = sys.exc_info()[1]
    elif isinstance(exc_info, tuple):
        error = exc_info[1]
    if error is not None:
        event["error_type"] = type(error).__name__
        event["error_at"] = locate_error(error)
        if isinstance(error, GoldpanError):
            event["error"] = str(error)
    return event


class _LibraryHandler(logging.Handler):
    """Logs where a library logged something, without the text: it may quote a record."""

    def emit(self, record: logging.LogRecord) -> None:
        log: Callable[..., object] = structlog.get_logger().warning
        if record.levelno >= logging.ERROR:
            log = structlog.get_logger().error
        log(
            "library_message",
            logger=record.name,
            at=f"{path_in_package(record.pathname)}:{record.lineno}",
            exc_info=record.exc_info,
        )


def _on_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    del kind, trace
    structlog.get_logger().error("process_crashed", exc_info=error)


def _on_thread_uncaught(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else None
    structlog.get_logger().error("thread_crashed", thread=name, exc_info=args.exc_value)
