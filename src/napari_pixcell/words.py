"""Counts, durations and sizes in words, for messages and captions."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun: “1 region”, “2,500 variants”."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def sentence(words: str) -> str:
    """Return words with a full stop, unless they end with a mark."""
    return words if words[-1:] in (".", "!", "?", "…") else f"{words}."


def duration(seconds: float) -> str:
    """Return a duration in its natural unit: “40 s”, “3 min”, “2.5 h”."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def pace(made: int, left: int, seconds: float) -> str:
    """Return the speed of the pairs so far, and the time for those left: “12 pairs/s, 3 min left”.

    Empty before the first.
    """
    if not made or seconds <= 0:
        return ""
    rate = made / seconds
    speed = f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"
    return f"{speed} pairs/s" + (f", {duration(left / rate)} left" if left else "")


def file_size(count: int) -> str:
    """Return a number of bytes in its natural unit: “12 kB”, “35 MB”, “1.2 GB”."""
    if count >= 999_500_000:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 999_500 else f"{max(1, round(count / 1e3))} kB"
