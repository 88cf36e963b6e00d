"""Formats counts, sizes, durations and times for people."""

from datetime import UTC, datetime

from schemas.times import from_micros


def format_count(count: int) -> str:
    """Return 1234567 as ``1,234,567``."""
    return f"{count:,}"


def format_quantity(count: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 row``, ``1,200 rows``; ``plural`` is ``noun`` + s."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def format_bytes(size: int) -> str:
    """Return a number of bytes with a binary unit: ``1.5 MiB``."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def format_duration(seconds: float) -> str:
    """Return a duration: ``3.2 s``, ``4 min``, ``2 h``, ``3 days``."""
    for limit, unit_seconds, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            value = seconds / unit_seconds
            return f"{value:.1f} {unit}" if unit == "s" else f"{value:.0f} {unit}"
    return f"{seconds / 86_400:,.0f} days"


def format_micros(micros: int) -> str:
    """Return a time (microseconds since 1970) to the second: ``2026-11-30 08:00:00 UTC``."""
    return format_time(from_micros(micros))


def format_time(moment: datetime) -> str:
    """Return a time to the second: ``2026-11-30 08:00:00 UTC``."""
    return f"{format_time_cell(moment)} UTC"


def format_time_cell(moment: datetime) -> str:
    """Return a time for a column whose header says UTC: ``2026-11-30 08:00:00``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
