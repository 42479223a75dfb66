"""Weekly windows of time: the control plane and the machine judge them by the same code.

A machine that knows its windows opens and shuts a rule at the boundary by itself, whoever it can reach.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wire.binary import WireError
from wire.documents import build

MINUTES_OF_DAY = 24 * 60
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
# Whatever a window is, it has come round within a week; one day more for a change of the clocks.
HORIZON_DAYS = 8


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of a day on some days of the week, by the clock of a time zone.

    start, end: minutes since midnight, the end excluded (0..1440); start > end runs over midnight. Day
    and hour are judged each for itself, by what the clock shows now. days: 0 is Monday. timezone: a name
    of the IANA database. outside: the window is all the time but this.
    """

    start: int = 0
    end: int = MINUTES_OF_DAY
    days: tuple[int, ...] = EVERY_DAY
    timezone: str = "UTC"
    outside: bool = False

    @classmethod
    def from_json(cls, document: Any) -> "Window":
        """Parse a window; WireError names what is wrong, a zone that this machine lacks included."""
        window = build(cls, document)
        if not (0 <= window.start < MINUTES_OF_DAY and 0 < window.end <= MINUTES_OF_DAY):
            raise WireError("window: minutes of a day are 0 to 1440")
        if window.start == window.end:
            raise WireError("window: begins where it ends")
        if not window.days or not set(window.days) <= set(EVERY_DAY):
            raise WireError("window: days are 0 to 6, and at least one")
        zone(window.timezone)
        return window

    def holds_hour(self, minute: int) -> bool:
        """Whether this minute of a day lies between start and end."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end

    def active(self, now: float) -> bool:
        """Whether the window is open at this Unix time."""
        shown = datetime.fromtimestamp(now, zone(self.timezone))
        inside = shown.weekday() in self.days and self.holds_hour(shown.hour * 60 + shown.minute)
        return inside != self.outside

    def next_change(self, now: float) -> float | None:
        """When, as Unix time, it opens or shuts next; None if never."""
        state = self.active(now)
        return next((at for at in self._moments(now) if at > now and self.active(at) != state), None)

    def _moments(self, now: float) -> Iterator[float]:
        """All instants at which it may change, in their order."""
        place = zone(self.timezone)
        today = datetime.fromtimestamp(now, place).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        for ahead in range(HORIZON_DAYS + 1):
            day = (today.replace(tzinfo=None) + timedelta(days=ahead)).replace(tzinfo=place)
            found = {_instant(day, minute, fold) for minute in (0, self.start, self.end) for fold in (0, 1)}
            yield from sorted(found | _clock_changes(day))


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name; WireError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise WireError(f"unknown time zone: {name!r}") from None


def _instant(day: datetime, minute: int, fold: int) -> float:
    shown = day.replace(tzinfo=None) + timedelta(minutes=minute)
    return shown.replace(tzinfo=day.tzinfo, fold=fold).timestamp()


def _clock_changes(day: datetime) -> set[float]:
    """The instant of this day at which its clock is put forward or back, if there is one."""
    low, high = int(_instant(day, 0, 0)), int(_instant(day, MINUTES_OF_DAY, 0))
    place = day.tzinfo

    def offset(at: int) -> timedelta | None:
        return datetime.fromtimestamp(at, UTC).astimezone(place).utcoffset()

    if offset(low) == offset(high):
        return set()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
    return {float(high)}
