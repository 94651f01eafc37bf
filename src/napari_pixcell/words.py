"""Counts, durations and sizes in words, for messages and captions."""

from __future__ import annotations


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun: “1 region”, “2,500 variants”."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def sentence(words: str) -> str:
    """Return words with a full stop, unless they end with a mark."""
    return words if words[-1:] in (".", "!", "?", "…") else f"{words}."


def duration(seconds: float) -> str:
    """Return a duration in its natural unit: “40 s”, “3 min”, “2.5 h”, “3.2 days”."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def pace(made: int, left: int, seconds: float, unit: str = "pairs") -> str:
    """Return the speed so far, and the time for what is left: “12 pairs/s, 3 min left”.

    Slow work is counted by the minute or hour, and “bytes” in kB or MB. Empty before the first.
    """
    if made <= 0 or seconds <= 0:
        return ""
    rate = made / seconds
    return f"{_speed(rate, unit)}" + (f", {duration(left / rate)} left" if left > 0 else "")


def _speed(rate: float, unit: str) -> str:
    if unit == "bytes":
        return f"{file_size(round(rate))}/s"
    per, of_time = rate, "s"
    if rate < 0.1:
        per, of_time = (60 * rate, "min") if rate >= 0.1 / 60 else (3600 * rate, "h")
    number = f"{per:,.0f}" if per >= 10 else f"{per:.2g}"
    return f"{number} {unit}/{of_time}" if unit else f"{number}/{of_time}"


def file_size(count: int) -> str:
    """Return a number of bytes in its natural unit: “12 kB”, “35 MB”, “1.2 GB”."""
    if count >= 999_500_000:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 999_500 else f"{max(1, round(count / 1e3))} kB"
