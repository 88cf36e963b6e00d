"""The entry point: runs a command, and turns an exception into one sentence and an exit code.

Exit codes: 0 done, 1 "no" (a verification, a gate), 2 wrong usage, 3 failed; a gate also 4 and 5
(`goldpan.cli.gate`). Ctrl-C gives 130.
"""

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version
from types import FrameType
from typing import Final, NoReturn

import click

from goldpan import child_process
from goldpan.cli.commands import COMMANDS
from goldpan.cli.lazy import LazyGroup
from goldpan.error_location import locate_error
from redact.build import BUILD
from schemas.errors import GoldpanError, UsageError

EXIT_NO: Final = 1
EXIT_USAGE: Final = 2
EXIT_FAILED: Final = 3
EXIT_INTERRUPTED: Final = 130

_WRITE_ERRORS: Final = frozenset({errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG})

WORKER_COMMAND: Final = ["stream", "run"]
_WITH_POOLS: Final = frozenset({"deltalake", "pyarrow"})

root = click.version_option(version("goldpan"), message=f"%(prog)s %(version)s ({BUILD})")(
    LazyGroup("goldpan", COMMANDS)
)


def main() -> NoReturn:
    """Run the command line of this process, then exit."""
    arguments = sys.argv[1:]
    if arguments[:2] == WORKER_COMMAND:
        signal.signal(signal.SIGTERM, _exit_before_reading)
    _open_closed_streams()
    child_process.set_safe_path()
    child_process.limit_numpy_threads()
    code = run_command(arguments)
    code = _flush(code)
    if _threads_remain():
        os._exit(code)
    sys.exit(code)


def run_command(arguments: Sequence[str]) -> int:
    """Run a command and return its exit code; errors are printed on standard error."""
    try:
        result = root.main(list(arguments), prog_name="goldpan", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # the last line of defence
        sentence, code = describe_failure(error)
        click.echo(f"goldpan: {' '.join(sentence.split())}", err=True)
        return code
    return result if isinstance(result, int) else 0


def describe_failure(error: BaseException) -> tuple[str, int]:
    """Return the sentence and the exit code for an exception.

    The text of foreign exceptions is left out: it may quote a record.
    """
    match error:
        case click.UsageError(ctx=click.Context() as context):
            return f"{error.format_message()} ({context.command_path} --help)", EXIT_USAGE
        case click.ClickException():
            return error.format_message(), EXIT_USAGE
        case UsageError():
            return str(error), EXIT_USAGE
        case GoldpanError():
            return str(error), EXIT_FAILED
        case click.Abort() | KeyboardInterrupt():
            return "interrupted", EXIT_INTERRUPTED
        case _:
            return _unexpected(error), EXIT_FAILED


def _unexpected(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in _WRITE_ERRORS:
        return _not_written(error)
    return (
        f"an unexpected error occurred: {type(error).__name__} at {locate_error(error)}; please "
        "report it"
    )


def _exit_before_reading(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Exit with 0 if SIGTERM arrives while the worker's libraries are still being loaded.

    Later, `goldpan.cli.stream` handles the signal.
    """
    os.write(sys.stderr.fileno(), b"goldpan: stopped before anything was read\n")
    os._exit(0)


def _threads_remain() -> bool:
    """Return whether remaining threads would delay or break an ordinary exit.

    Our threads may wait for a lake that hangs: an ordinary exit would wait for them (pooled daemon
    threads too), a minute or more after the worker reported that it is done. The table libraries
    have thread pools of their own, and the exit of the interpreter sometimes aborts on one of them.
    """
    return threading.active_count() > 1 or not _WITH_POOLS.isdisjoint(sys.modules)


def _open_closed_streams() -> None:
    """Open closed standard streams (``>&-``) on /dev/null; else a file could get their number.

    So a command keeps the exit code of its result, as with `/dev/null`.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            mode = "w" if descriptor else "r"
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8"))


def _not_written(error: OSError) -> str:
    return f"the output or a temporary file cannot be written: {error.strerror}"


def _flush(code: int) -> int:
    """Flush standard output; return the exit code, or that of a failure if flushing fails.

    If the reader is gone, the command still exits silently.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            click.echo(f"goldpan: {_not_written(error)}", err=True)
            code = code or EXIT_FAILED
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    return code
