"""Creates and updates the second location of tombstones and receipts that the settings name."""

from goldpan import jobs
from goldpan.settings import Settings
from lake.erasure_copies import open_erasure_copies


def create_erasures_copy(settings: Settings) -> None:
    """Create the second location of tombstones and receipts, if one is set."""
    copies = open_erasure_copies(settings.lake)
    if copies is not None:
        jobs.job_context().retry.call("creating the copies of erasures", copies.begin)


def copy_erasures(settings: Settings) -> None:
    """Copy tombstones and receipts to their second location, if one is set.

    Raises FatalError if it is unreachable, or holds the copies of another lake.
    """
    copies = open_erasure_copies(settings.lake)
    if copies is not None:
        jobs.job_context().retry.call("copying tombstones and receipts", copies.keep)
