"""Tells the control plane of peers whose identity is not the one seen before.

A control plane that swapped the keys itself may keep silent about it: so the log says it first, and
`ztna status` and `ztna peers` show it on this machine whatever becomes of the report.
"""

import asyncio
from collections.abc import Awaitable, Callable

from agent.engine.identity import IdentityChange
from agent.network import Network
from wire.control import PEER_IDENTITY_CHANGED, FromAgent

LOOK_SECONDS = 2.0


async def report_swapped_identities(network: Network, send: Callable[..., Awaitable[bool]]) -> None:
    """Report each change once; send is AgentLink.send, False while there is no link."""
    reported: dict[str, IdentityChange] = {}
    while True:
        for machine_id, change in list(network.swapped.items()):
            if reported.get(machine_id) != change and await send(
                FromAgent.EVENT,
                kind=PEER_IDENTITY_CHANGED,
                peer_machine_id=machine_id,
                old=change.pinned,
                new=change.offered,
            ):
                reported[machine_id] = change
        await asyncio.sleep(LOOK_SECONDS)
