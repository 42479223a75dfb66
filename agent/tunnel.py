"""Makes the tunnel interface on a free port, with its undo on disk first."""

import os
import socket
from pathlib import Path

from agent.errors import AgentError
from agent.io.journal import Journal
from agent.io.wireguard import WireGuard
from agent.keys import MachineKeys
from agent.platform import Platform
from agent.state import MachineState
from wire.numbers import AGENT_PORT, TAILNET_CIDR, TUNNEL_MTU

PORTS_TRIED = 64


def free_port() -> int:
    """The agent's port, or the next one that nobody listens on."""
    for port in range(AGENT_PORT, AGENT_PORT + PORTS_TRIED):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("0.0.0.0", port))  # noqa: S104 closed at once
                return port
            except OSError:
                continue
    raise AgentError("NO_PORT", f"no free UDP port between {AGENT_PORT} and {AGENT_PORT + PORTS_TRIED - 1}")


def loopback_port() -> int:
    """A port for WireGuard behind an owned one: any that is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def open_tunnel(
    *,
    platform: Platform,
    journal: Journal,
    keys: MachineKeys,
    machine: MachineState,
    interface: str,
    port: int,
) -> WireGuard:
    """An interface that is up, addressed and routed; AgentError says why there is none."""
    hosts_own = platform.mode == "tun"
    if hosts_own and Path(f"/sys/class/net/{interface}").exists():
        raise AgentError(
            "INTERFACE_IN_USE", f"an interface {interface} exists that is not ours; set QUICKZTNA_INTERFACE"
        )
    wireguard = platform.wireguard(interface)
    if hosts_own:
        journal.record("interface", name=interface)
    try:
        wireguard.open(private_key=keys.wireguard, listen_port=port, mark=platform.mark)
        addresses = [f"{machine.tailnet_ip}/32"]
        if machine.tailnet_ipv6 and _has_ipv6():
            addresses.append(f"{machine.tailnet_ipv6}/128")
        platform.configure(interface, addresses=addresses, routes=[TAILNET_CIDR], mtu=TUNNEL_MTU)
    except OSError as error:
        wireguard.close()
        if hosts_own:
            journal.retract("interface", name=interface)
        raise AgentError("TUNNEL_FAILED", f"cannot make the interface {interface}: {error}") from None
    return wireguard


def _has_ipv6() -> bool:
    return os.path.exists("/proc/net/if_inet6")
