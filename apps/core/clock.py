"""Times as the API writes them."""

from datetime import UTC, datetime

from django.utils.dateparse import parse_datetime


def rfc3339(moment: datetime) -> str:
    """UTC with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_rfc3339(text: str) -> datetime:
    """A moment with any offset, read as UTC without one; ValueError if it is none."""
    moment = parse_datetime(text)
    if moment is None:
        raise ValueError(f"not a time: {text!r}")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
