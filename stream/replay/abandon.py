"""Removes a replay entirely: its tables, its positions, its plan.

The decision is recorded first, so that nothing adds to the replay or promotes it afterwards. If
this is killed, the next run finishes it; until then `list` shows that it is being removed. For a
promoted replay, only its record is left to remove.
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

    Raises UsageError if there is none, or if its promotion has begun but not finished; FatalError
    or RetryableError if the lake stays unavailable.
    """
    if name not in staging.names():
        raise UsageError(f"There is no replay {name}: `goldpan replay list` shows all replays.")
    is_promoted = staging.decide(name, ReplayFate.ABANDON) is ReplayFate.PROMOTE
    if is_promoted and staging.progress(name).state is not ReplayState.PROMOTED:
        raise UsageError(
            f"The promotion of {name} has begun: repeat `goldpan replay promote {name}` to finish "
            "it."
        )
    reached(ReplayStep.DECIDED)
    staging.clear(name, retry, partial(reached, ReplayStep.FILE_REMOVED))
    reached(ReplayStep.FILES_REMOVED)
    staging.forget(name, retry)
