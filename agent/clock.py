"""Moments as they travel."""

import time
from collections.abc import Callable

Clock = Callable[[], float]


def rfc3339(seconds: float) -> str:
    """Unix time as RFC 3339 in UTC with milliseconds."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"


class SleepWatch:
    """Notices that the machine slept: CLOCK_MONOTONIC stands still meanwhile, CLOCK_BOOTTIME does not."""

    def __init__(self, awake: Clock = time.monotonic, ever: Clock | None = None) -> None:
        self._awake, self._ever = awake, ever or _since_boot
        self._difference = self._ever() - self._awake()

    def slept(self) -> float:
        """Seconds that the machine slept since the last call."""
        before, self._difference = self._difference, self._ever() - self._awake()
        return max(0.0, self._difference - before)


def _since_boot() -> float:
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else float(time.clock_gettime(boottime))
