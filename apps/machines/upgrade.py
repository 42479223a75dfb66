"""The upgrade of an agent's socket: what its request says before anything is proven."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.core.addresses import socket_address
from apps.machines.nodes import NODE_KEY_PREFIX
from wire import control
from wire.losses import MACHINE_HEADER


@dataclass(frozen=True, slots=True)
class Upgrade:
    """speaks: offers our subprotocol. host: as the agent dialled it. address: where it is heard from.

    claimed: which machine it says it is. node_key: its credential, None where it shows no such one.
    """

    speaks: bool
    host: str
    address: str | None
    claimed: str
    node_key: str | None


def read_upgrade(scope: Mapping[str, Any]) -> Upgrade:
    """From the scope of an ASGI connection."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    scheme, _, credential = headers.get(b"authorization", "").partition(" ")
    shown = scheme.lower() == "bearer" and credential.startswith(NODE_KEY_PREFIX)
    return Upgrade(
        speaks=control.SUBPROTOCOL in scope["subprotocols"],
        host=headers.get(b"host", ""),
        address=socket_address(scope),
        claimed=headers.get(MACHINE_HEADER.lower().encode(), ""),
        node_key=credential.strip() if shown else None,
    )
