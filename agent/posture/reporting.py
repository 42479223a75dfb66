"""The cycle of reports, and the control plane's last word kept for `ztna posture status`."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from agent.errors import AgentError
from agent.posture.findings import Findings, collect
from agent.posture.host import host_readings

if TYPE_CHECKING:
    from agent.daemon import Daemon
    from agent.io.control import ControlClient

logger = logging.getLogger("agent.posture")

REPORT_SECONDS = 60.0
CONNECTED_POLL_SECONDS = 0.5
VERDICT_FILE = "posture.json"
# What of the answer is kept.
ANSWER = (
    *("compliant", "violations", "violation_details", "quarantined"),
    *("mode", "grace_expires_at", "policies"),
)


async def report_posture(daemon: Daemon) -> None:
    """Report once connected and then every minute, until cancelled."""
    readings = host_readings(daemon.store.directory)
    while True:
        begun = time.monotonic()
        connected = daemon.link.connected
        if connected:
            try:
                verdict = await send(daemon.client, daemon.machine.node_key, await collect(readings))
                daemon.store.save_json(VERDICT_FILE, verdict)
            except AgentError as error:
                logger.debug("posture was not reported: %s", error)
        pace = REPORT_SECONDS if connected else CONNECTED_POLL_SECONDS
        await asyncio.sleep(max(0.0, begun + pace - time.monotonic()))


async def send(client: ControlClient, node_key: str, findings: Findings) -> dict[str, Any]:
    """Report once; what the control plane makes of it. AgentError when it refuses or is not there."""
    answer = await client.call("POST", "/api/posture-report", findings.report(), token=node_key)
    return {name: answer.get(name) for name in ANSWER}
