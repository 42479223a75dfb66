"""Reports of flows to the control plane, where the organization asks for them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from agent.errors import AgentError
from agent.io.control import ApiError

if TYPE_CHECKING:
    from agent.daemon import Daemon

logger = logging.getLogger("agent.flows")

PATH = "/api/flow-report"
REPORT_SECONDS = 10.0
ROWS_A_REPORT = 500
# What waits while the control plane is away; older reports are dropped, and said to be.
MAX_WAITING = 60


class Reports:
    """Reports that the control plane has not taken yet, oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[dict[str, Any]] = deque()
        self._dropped = 0
        self._since = time.time()

    def add(self, rows: list[dict[str, Any]], dropped: int, now: float) -> None:
        """What was seen since the last time, in pieces that the control plane takes."""
        self._dropped += dropped
        pieces = [rows[at : at + ROWS_A_REPORT] for at in range(0, len(rows), ROWS_A_REPORT)]
        for index, piece in enumerate(pieces):
            # A report is known by its times: the pieces of one moment differ by a microsecond.
            begun = self._since + index * 1e-6
            report = {"from": begun, "to": now, "dropped": self._dropped, "rows": piece}
            self._waiting.append(report)
            self._dropped = 0
        self._since = now
        while len(self._waiting) > MAX_WAITING:
            lost = self._waiting.popleft()
            self._dropped += lost["dropped"] + sum(row["count"] for row in lost["rows"])

    def next(self) -> dict[str, Any] | None:
        """The oldest one."""
        return self._waiting[0] if self._waiting else None

    def taken(self) -> None:
        """The oldest one arrived, or never will be wanted."""
        self._waiting.popleft()


async def report_flows(daemon: Daemon) -> None:
    """Report every few seconds while the map asks for it, until cancelled."""
    reports = Reports()
    while True:
        await asyncio.sleep(REPORT_SECONDS)
        flows = daemon.upkeep.flows
        if flows.group is None:
            reports = Reports()
            continue
        now = time.time()
        try:
            reports.add(*flows.collect(daemon.upkeep.filter.table, now), now)
        except OSError as error:
            # The table is written anew at this moment, or nft is gone: what is counted stays.
            logger.debug("flows were not collected: %s", error)
        if daemon.link.connected:
            await _send(daemon, reports)


async def _send(daemon: Daemon, reports: Reports) -> None:
    while (report := reports.next()) is not None:
        try:
            await daemon.client.call("POST", PATH, report, token=daemon.machine.node_key)
        except ApiError as error:
            if error.status >= 500 or error.status == 429:
                return
            # It will not be taken later either: logging was switched off, or it is malformed.
            logger.debug("flows were refused: %s", error)
        except AgentError as error:
            logger.debug("flows were not reported: %s", error)
            return
        reports.taken()
