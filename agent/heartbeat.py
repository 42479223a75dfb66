"""Signs of life by HTTP while the link is down, so that the machine is not shown offline."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from agent.errors import AgentError
from wire.binary import WireError
from wire.netmap import Netmap
from wire.numbers import HEARTBEAT_SECONDS

if TYPE_CHECKING:
    from agent.daemon import Daemon

logger = logging.getLogger("agent.daemon")


async def beat_without_link(daemon: Daemon) -> None:
    """Call at the usual pace until cancelled; an answer may bring a map."""
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        if daemon.link.connected:
            continue
        netmap = daemon.membership.netmap
        body = {**daemon.heartbeat(), "netmap_version": netmap.version if netmap else 0}
        token = daemon.machine.node_key
        try:
            answer = await daemon.client.call("POST", "/api/machine-heartbeat", body, token=token)
            if "self" in answer:
                daemon.relays.token = answer.get("relay_token")
                daemon.membership.on_netmap(Netmap.from_json(answer))
        except (AgentError, WireError) as error:
            logger.debug("heartbeat failed: %s", error)
