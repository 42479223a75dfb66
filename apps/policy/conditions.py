"""What a rule asks beyond ends, protocol and port: time, country and system of the source, its health."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from apps.policy.faults import RuleFault
from wire.binary import WireError
from wire.schedule import EVERY_DAY, MINUTES_OF_DAY, Window, zone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SYSTEMS = ("linux", "darwin", "windows")
HOURS = re.compile(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?", re.ASCII)
COUNTRY = re.compile(r"[A-Za-z]{2}")
MAX_COUNTRIES = 250


@dataclass(frozen=True, slots=True)
class Conditions:
    """All must hold. None and empty ask nothing; posture and PQC, where asked, must be known to be good."""

    window: Window | None = None
    countries: frozenset[str] = frozenset()
    systems: frozenset[str] = frozenset()
    require_posture: bool = False
    require_pqc: bool = False

    @property
    def lasting(self) -> tuple[tuple[str, ...], tuple[str, ...], bool, bool]:
        """What no clock changes, in one order everywhere."""
        listed = tuple(sorted(self.countries)), tuple(sorted(self.systems))
        return *listed, self.require_posture, self.require_pqc


UNCONDITIONAL = Conditions()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One condition as it was judged; texts for people."""

    expected: str
    actual: str
    met: bool


def parse_hours(text: str) -> tuple[int, int]:
    """(start, end) in minutes of "09-18", "22:30-06:00"; raises RuleFault."""
    match = HOURS.fullmatch("".join(text.split()))
    if not match:
        raise RuleFault("time_hour", "time_hour: must be HH-HH or HH:MM-HH:MM")
    hour, minute, last_hour, last_minute = (int(part or 0) for part in match.groups())
    start, end = hour * 60 + minute, last_hour * 60 + last_minute
    if minute > 59 or last_minute > 59 or start >= MINUTES_OF_DAY or end > MINUTES_OF_DAY:
        raise RuleFault("time_hour", "time_hour: hours are 00:00 to 24:00", grammar=False)
    if start == end:
        raise RuleFault("time_hour", "time_hour: begins where it ends; leave it out for the whole day")
    # A window that ends at midnight ends with the day.
    return start, end or MINUTES_OF_DAY


def format_hours(start: int, end: int) -> str:
    """The stored text: "09-18" on full hours, "22:30-06:00" else."""
    if start % 60 or end % 60:
        return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    return f"{start // 60:02}-{end // 60:02}"


def parse_days(text: str) -> tuple[int, ...]:
    """Days, 0 for Monday, of "mon-fri", "mon,wed" or "fri-mon"; raises RuleFault."""
    found: set[int] = set()
    for entry in "".join(text.lower().split()).split(","):
        first, dash, last = entry.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise RuleFault("day_of_week", f"day_of_week: {entry[:20]!r} is no day; use mon-fri or mon,wed")
        low, high = DAYS.index(first), DAYS.index(last if dash else first)
        found |= {day % 7 for day in range(low, (high if high >= low else high + 7) + 1)}
    return tuple(sorted(found))


def format_days(days: Iterable[int]) -> str:
    """The stored text: a range where they follow each other, else a list."""
    listed = sorted(days)
    if len(listed) > 2 and listed == list(range(listed[0], listed[-1] + 1)):
        return f"{DAYS[listed[0]]}-{DAYS[listed[-1]]}"
    return ",".join(DAYS[day] for day in listed)


def parse_timezone(text: str) -> str:
    """The name of a time zone that exists; raises RuleFault."""
    try:
        return zone(text).key
    except WireError:
        raise RuleFault("timezone", f"timezone: {text[:60]!r} is unknown", grammar=False) from None


def parse_window(hours: str | None, days: str | None, timezone: str | None) -> Window | None:
    """The window that three columns make; None if they leave all time open. Raises RuleFault."""
    place = parse_timezone(timezone or "UTC")
    if not hours and not days:
        return None
    start, end = parse_hours(hours) if hours else (0, MINUTES_OF_DAY)
    window = Window(start, end, parse_days(days) if days else EVERY_DAY, place)
    return None if (start, end, window.days) == (0, MINUTES_OF_DAY, EVERY_DAY) else window


def parse_countries(value: object) -> frozenset[str]:
    """ISO 3166-1 alpha-2 codes of a list or a comma list; raises RuleFault."""
    codes = _listed("source_country", value, MAX_COUNTRIES)
    if wrong := next((code for code in codes if not COUNTRY.fullmatch(code)), None):
        raise RuleFault("source_country", f"source_country: {wrong[:20]!r} is no code of two letters")
    return frozenset(code.upper() for code in codes)


def parse_systems(value: object) -> frozenset[str]:
    """Operating systems of a list or a comma list; raises RuleFault."""
    names = frozenset(name.lower() for name in _listed("source_os", value, len(SYSTEMS) * 2))
    if not names <= set(SYSTEMS):
        raise RuleFault("source_os", f"source_os: must be of {', '.join(SYSTEMS)}", grammar=False)
    return names


def _listed(field: str, value: object, most: int) -> list[str]:
    if value in (None, ""):
        return []
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list | tuple | set | frozenset) or len(entries) > most:
        raise RuleFault(field, f"{field}: must be a list of at most {most}", grammar=False)
    if not all(isinstance(entry, str) for entry in entries):
        raise RuleFault(field, f"{field}: must be a list of texts", grammar=False)
    return [entry.strip() for entry in entries]
