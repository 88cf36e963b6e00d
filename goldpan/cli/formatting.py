"""Formats counts, sizes, durations and times for people."""


def format_count(number: int) -> str:
    """Return 1234567 as ``1,234,567``."""
    return f"{number:,}"


def format_bytes(size: int) -> str:
    """Return a number of bytes with a binary unit: ``1.5 MiB``."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def format_duration(seconds: float) -> str:
    """Return a duration: ``3.2 s``, ``4 min``, ``2 h``."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
