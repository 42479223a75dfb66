"""How long a change takes from its commit to the machines that it concerns, by their acknowledgements.

Times are this server's own: the commit, and when the acknowledgement came. A machine that is not
connected is not waited for.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from channels.db import database_sync_to_async
from django.utils import timezone
from prometheus_client import Counter, Histogram

from apps.machines.models import NetmapAck

logger = logging.getLogger("quickztna.netmap")
SECONDS = Histogram(
    "quickztna_enforcement_seconds",
    "From the commit of a change to a machine's acknowledgement that it is in force",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30),
)
FAILED = Counter("quickztna_enforcement_failures", "Acknowledgements that name a part which failed")
MAX_AWAITED = 64
FLUSH_SECONDS = 1.0
MAX_UNWRITTEN = 20_000  # of one organisation
WINDOW, WINDOW_ROWS = timedelta(hours=1), 5000


class Awaited:
    """What one connected machine was told and has not acknowledged. Times are Unix seconds."""

    def __init__(self) -> None:
        self._changed: dict[int, float] = {}
        self._told: dict[int, float] = {}

    def changed(self, version: int, at: float) -> None:
        """The map changed; whether it concerns this machine is not known yet."""
        _put(self._changed, version, at)

    def settled(self, version: int, *, told: bool) -> None:
        """Everything up to version was looked at; told: the machine was sent something."""
        moments = [self._changed.pop(key) for key in list(self._changed) if key <= version]
        if told and moments:
            _put(self._told, version, min(moments))

    def acknowledged(self, version: int) -> list[float]:
        """The commits that are in force with it."""
        return [self._told.pop(key) for key in list(self._told) if key <= version]


def _put(moments: dict[int, float], version: int, at: float) -> None:
    moments[version] = at
    while len(moments) > MAX_AWAITED:
        del moments[min(moments)]


class Acknowledgements:
    """Gathers what the machines of this process say and writes it in batches."""

    def __init__(self) -> None:
        self._rows: dict[uuid.UUID, list[NetmapAck]] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, org_id: uuid.UUID, machine_id: uuid.UUID, version: int, committed_at: float) -> None:
        """A change of that moment is in force on a machine; call on the event loop."""
        took = max(0.0, time.time() - committed_at)
        SECONDS.observe(took)
        rows = self._rows.setdefault(org_id, [])
        if len(rows) < MAX_UNWRITTEN:
            row = NetmapAck(org_id=org_id, machine_id=machine_id, version=version, took_ms=round(took * 1000))
            rows.append(row)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS)
        taken, self._rows = self._rows, {}
        for org_id, rows in taken.items():
            try:
                await database_sync_to_async(NetmapAck.objects.for_org(org_id).bulk_create)(
                    rows, batch_size=500
                )
            except Exception:
                # Figures: an organisation that was deleted meanwhile must not cost the others theirs.
                logger.exception("acknowledgements not written", extra={"rows": len(rows)})


acknowledgements = Acknowledgements()


def propagation(org: Any) -> Mapping[str, float | int | None]:
    """p50_ms and p99_ms from save to enforcement over the last hour, None without any, and how many."""
    recent = NetmapAck.objects.for_org(org).filter(created_at__gte=timezone.now() - WINDOW)
    times = sorted(recent.order_by("-created_at").values_list("took_ms", flat=True)[:WINDOW_ROWS])
    if not times:
        return {"p50_ms": None, "p99_ms": None, "acks": 0}
    return {
        "p50_ms": times[len(times) // 2],
        "p99_ms": times[min(len(times) - 1, len(times) * 99 // 100)],
        "acks": len(times),
    }
