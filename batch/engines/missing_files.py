"""The error that every engine raises when files of a pinned version are gone."""

from schemas.errors import UsageError


def missing_files() -> UsageError:
    """Return the error that files of a table's version no longer exist."""
    return UsageError(
        "files of a table version that is read here are missing (vacuum, retention or an "
        "erasure removed them): name later versions, or none"
    )
