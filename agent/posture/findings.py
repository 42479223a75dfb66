"""Readings of the host's health, and the one way to gather them."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

logger = logging.getLogger("agent.posture")

# A child may take this long, and a reading with all its children so long.
CHILD_SECONDS = 5.0
READING_SECONDS = 10.0

# The signals of /api/posture-report.
SIGNALS = (
    *("os_version", "os_version_detail", "disk_encrypted", "firewall_enabled", "antivirus_enabled"),
    *("antivirus_name", "last_patch_date", "screen_lock_timeout", "auto_update", "firewall_audit"),
    *("pending_security_updates", "reboot_pending", "agent_version", "custom_attributes"),
)


class UnknownReading(Exception):
    """A reading that could not be made; its text says why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """signals: what it tells of; read: their values, run in a thread; raises UnknownReading, OSError.

    A signal that the values leave out is unknown.
    """

    signals: tuple[str, ...]
    read: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Findings:
    """values: what is known, by signal; reasons: why another signal is not."""

    values: Mapping[str, Any]
    reasons: Mapping[str, str] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """The body of a report: every signal, None for an unknown one."""
        return {name: self.values.get(name) for name in SIGNALS}


async def collect(readings: Sequence[Reading]) -> Findings:
    """Make all readings at once, off the event loop; one that fails or hangs leaves its signals unknown."""
    values: dict[str, Any] = {}
    reasons: dict[str, str] = {}

    async def make(reading: Reading) -> None:
        try:
            async with asyncio.timeout(READING_SECONDS):
                found = await asyncio.to_thread(reading.read)
        except TimeoutError:
            found, reason = {}, f"took more than {READING_SECONDS:.0f} s"
        except (UnknownReading, OSError) as error:
            found, reason = {}, " ".join(str(error).split())
        except Exception as error:
            # Other people's output is parsed here: one odd line must not cost the other readings.
            logger.warning("a reading failed: %s", ", ".join(reading.signals), exc_info=error)
            found, reason = {}, f"could not be read ({type(error).__name__})"
        else:
            reason = "this host does not say"
        for name in reading.signals:
            if found.get(name) is not None:
                values[name] = found[name]
            else:
                reasons[name] = reason

    await asyncio.gather(*map(make, readings))
    return Findings(values, reasons)
