"""Moments as they travel."""

import math
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

Clock = Callable[[], float]
MOVED_SECONDS = 0.5


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

    Rules that begin or end at a moment must not depend on whether the host's clock is right. What was
    heard is kept across restarts. Within one boot the time is then as exact as before; after a boot it
    is the host's clock, as wrong as it was found to be, and never earlier than what was heard: a clock
    that was set or lost its battery meanwhile can't be told from a right one.
    """

    def __init__(
        self, wall: Clock = time.time, ever: Clock | None = None, boot: Callable[[], str] | None = None
    ) -> None:
        self._wall, self._ever = wall, ever or _since_boot
        self._boot = (boot or _boot_id)()
        # What to add to the clock since boot for the control plane's time; None before it was heard.
        self._begun: float | None = None
        # Of an earlier boot: what the host's clock lacked, and what leads to the last moment that was known.
        self._lacking, self._floor = 0.0, -math.inf

    def heard(self, server_time: float) -> bool:
        """The control plane says that it is this Unix time; True if we thought otherwise."""
        moved = abs(server_time - self.now()) >= MOVED_SECONDS
        self._begun = server_time - self._ever()
        return moved

    def now(self) -> float:
        """Unix time."""
        if self._begun is not None:
            return self._begun + self._ever()
        return max(self._wall() + self._lacking, self._floor + self._ever())

    def saved(self) -> dict[str, Any] | None:
        """What to keep for the next start; None before anything was heard."""
        if self._begun is None:
            return None
        lacking = self.now() - self._wall()
        return {"boot": self._boot, "begun": self._begun, "lacking": lacking, "heard": self.now()}

    def restore(self, saved: Any) -> None:
        """What an earlier process kept; what is malformed counts for nothing."""
        try:
            begun, lacking, heard = (float(saved[name]) for name in ("begun", "lacking", "heard"))
        except (TypeError, KeyError, ValueError):
            return
        if saved.get("boot") == self._boot:
            self._begun = begun
        else:
            self._lacking, self._floor = lacking, heard - self._ever()


def _since_boot() -> float:
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else float(time.clock_gettime(boottime))


def _boot_id() -> str:
    """Names this boot of the host; another text each time where the host does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return uuid.uuid4().hex
