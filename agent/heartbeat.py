"""Signs of life besides the link: heartbeats by HTTP while it is down, reports, questions and answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from agent.errors import AgentError
from agent.flows import report_flows
from agent.posture.reporting import report_posture
from wire.binary import WireError
from wire.netmap import Netmap
from wire.numbers import HEARTBEAT_SECONDS

if TYPE_CHECKING:
    from agent.daemon import Daemon

logger = logging.getLogger("agent.daemon")


def signs_of_life(daemon: Daemon) -> tuple[Coroutine[Any, Any, None], ...]:
    """What runs besides the link; each until cancelled."""
    return (
        _beat_without_link(daemon),
        report_posture(daemon),
        report_flows(daemon),
        daemon.census.run(),
        daemon.membership.guard.run(daemon.link.send),
    )


async def _beat_without_link(daemon: Daemon) -> None:
    """So that the machine is not shown offline while the link is down; an answer may bring a map."""
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        if daemon.link.connected:
            continue
        netmap = daemon.membership.netmap
        body = {**daemon.heartbeat(), "netmap_version": netmap.version if netmap else 0}
        token = daemon.machine.node_key
        try:
            answer = await daemon.client.call("POST", "/api/machine-heartbeat", body, token=token)
            daemon.membership.on_heartbeat_taken(body)
            if "self" in answer:
                daemon.relays.token = answer.get("relay_token")
                daemon.membership.on_netmap(Netmap.from_json(answer))
        except (AgentError, WireError) as error:
            logger.debug("heartbeat failed: %s", error)
