"""Finds where an exception was raised, without its text, which may quote a record."""

import traceback

from goldpan.package_guard import ROOMS


def locate_error(error: BaseException) -> str:
    """Return ``file:line`` of the innermost of our own frames that an exception passed."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "unknown"
    own_frames = [
        frame for frame in frames if path_in_package(frame.filename).split("/")[0] in ROOMS
    ]
    frame = (own_frames or frames)[-1]
    return f"{path_in_package(frame.filename)}:{frame.lineno}"


def path_in_package(filename: str) -> str:
    """Return a path relative to its package, without where that is installed."""
    parts = filename.replace("\\", "/").split("/")
    starts = [i for i, part in enumerate(parts[:-1]) if part in ROOMS or part == "site-packages"]
    if not starts:
        return "/".join(parts[-2:])
    start = starts[-1]
    return "/".join(parts[start + 1 if parts[start] == "site-packages" else start :])
