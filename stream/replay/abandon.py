"""Removing a replay, so that nothing is left of it: its tables, its positions, its plan.

It is decided first, so that nobody adds to it or promotes it meanwhile. Killed, it is finished by
the next run; until then `list` says that it is being removed. Of a replay that was promoted only
the record of it goes.
"""

from collections.abc import Callable
from functools import partial

from lake.retry import Retry
from schemas.errors import UsageError
from stream.replay.repository import ReplayFate, ReplayRepository, ReplayState
from stream.replay.steps import ReplayStep


def abandon_replay(
    staging: ReplayRepository, name: str, *, retry: Retry, reached: Callable[[ReplayStep], None]
) -> None:
    """Remove a replay.

    Raises UsageError if there is none, or if its promotion has begun and has not come to its end;
    FatalError or RetryableError if the lake does not answer in time.
    """
    if name not in staging.names():
        raise UsageError(f"There is no replay {name}: `goldpan replay list` tells which there are.")
    to_be_promoted = staging.decide(name, ReplayFate.ABANDON) is ReplayFate.PROMOTE
    if to_be_promoted and staging.progress(name).state is not ReplayState.PROMOTED:
        raise UsageError(
            f"The promotion of {name} has begun: run `goldpan replay promote {name}` again, it "
            "finishes what was begun."
        )
    reached(ReplayStep.DECIDED)
    staging.clear(name, retry, partial(reached, ReplayStep.FILE_REMOVED))
    reached(ReplayStep.FILES_REMOVED)
    staging.forget(name, retry)
