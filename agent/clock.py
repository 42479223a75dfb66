"""Moments as they travel."""

import time
from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], float]


def rfc3339(seconds: float) -> str:
    """Unix time as RFC 3339 in UTC with milliseconds."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


def unix_time(text: str) -> float:
    """The reverse; ValueError for anything but RFC 3339 with an offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment without an offset")
    return moment.timestamp()


class SleepWatch:
    """Notices that the machine slept: CLOCK_MONOTONIC stands still meanwhile, CLOCK_BOOTTIME does not."""

    def __init__(self, awake: Clock = time.monotonic, ever: Clock | None = None) -> None:
        self._awake, self._ever = awake, ever or _since_boot
        self._difference = self._ever() - self._awake()

    def slept(self) -> float:
        """Seconds that the machine slept since the last call."""
        before, self._difference = self._difference, self._ever() - self._awake()
        return max(0.0, self._difference - before)


class ServerClock:
    """The control plane's time, kept by a clock that nobody can set; the host's own until it was heard.

    Rules that end at a moment must not depend on whether the host's clock is right.
    """

    def __init__(self, wall: Clock = time.time, ever: Clock | None = None) -> None:
        self._wall, self._ever = wall, ever or _since_boot
        self._boot: float | None = None

    def heard(self, server_time: float) -> None:
        """The control plane says that it is this Unix time."""
        self._boot = server_time - self._ever()

    def now(self) -> float:
        """Unix time."""
        return self._wall() if self._boot is None else self._boot + self._ever()


def _since_boot() -> float:
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else float(time.clock_gettime(boottime))
