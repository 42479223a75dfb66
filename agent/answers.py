"""What the daemon answers on its socket."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agent import __version__, hostview, preferences, report
from agent.errors import AgentError
from agent.io.ipc import Handler
from agent.io.ping import echo
from agent.peering import PeerLink
from agent.settings import machine_arch
from wire.numbers import TUNNEL_MTU

if TYPE_CHECKING:
    from agent.daemon import Daemon

MAX_PING_SECONDS = 60.0
EXIT_PAUSE_SECONDS = 0.05


class Answers:
    """Handlers by command: reads for everybody here, changes for the owner."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.reads: Mapping[str, Handler] = {
            **{"status": self.status, "peers": self.peers},
            **{"dns": self.dns, "resolve": self.resolve},
        }
        self.changes: Mapping[str, Handler] = {
            "ping": self.ping,
            "stop": self.stop,
            "set": self.set,
            "identity": self.identity,
            "accept_identity": self.accept_identity,
            "path": self.path,
        }

    async def status(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Everything `ztna status` shows; peers included."""
        daemon = self._daemon
        peers = self._peers()
        found, relays = daemon.discovery.latest, daemon.relays
        dns = daemon.membership.netmap.dns if daemon.membership.netmap else None
        own = daemon.membership.netmap.self_node if daemon.membership.netmap else None
        hybrid = [peer for peer in peers if peer["pqc"]["state"] == "verified"]
        online = [peer for peer in peers if peer["online"]]
        return {
            "version": __version__,
            "os": sys.platform,
            "arch": machine_arch(),
            "connected": True,
            "control_connected": daemon.link.connected,
            "refusal": daemon.membership.refusal,
            "map_refused": daemon.membership.guard.refused,
            "api_url": daemon.api_url,
            "org_id": daemon.machine.org_id,
            "tailnet": dns.domain if dns else None,
            "machine_id": daemon.machine.machine_id,
            "machine": {
                "id": daemon.machine.machine_id,
                "name": own.name if own else daemon.machine.name,
                "magicdns_name": own.magicdns_name if own else daemon.machine.magicdns_name,
                "tailnet_ip": daemon.machine.tailnet_ip,
                "tags": list(own.tags if own else daemon.machine.tags),
                "status": daemon.membership.status,
            },
            "tailnet_ip": daemon.machine.tailnet_ip,
            "mode": daemon.platform.mode,
            "backend": daemon.wireguard.backend,
            "mtu": TUNNEL_MTU,
            "interface": daemon.settings.interface,
            "derp_region": relays.home,
            "derp_connected": relays.connected,
            "derp_latency_ms": found.latencies_ms.get(relays.home or ""),
            "endpoints": [str(endpoint) for endpoint in found.endpoints],
            "public_key": daemon.machine.wireguard_public_key,
            # The old name of the public key; the node key itself is never told.
            "node_key": daemon.machine.wireguard_public_key,
            "pqc": {"active": bool(hybrid), "pairs_pq": len(hybrid), "pairs_total": len(online)},
            "peers_online": len(online),
            "peers_offline": len(peers) - len(online),
            # Whom the policy keeps away is not on the map either.
            "peers_blocked": None,
            "update_available": None,
            "quarantined": own.quarantine_reason if own and own.status == "quarantined" else None,
            "pid": os.getpid(),
            **hostview.described(daemon.upkeep, daemon.membership.netmap),
            "peers": peers,
        }

    async def peers(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All peers."""
        return self._peers()

    async def ping(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One probe through the tunnel: {"ms", "path", "error"}."""
        link = self._link(str(request["machine_id"]))
        timeout_seconds = min(float(request["timeout_seconds"]), MAX_PING_SECONDS)
        try:
            elapsed = await echo(
                link.peer.tailnet_ip,
                timeout_seconds=timeout_seconds,
                make_socket=self._daemon.platform.make_socket,
            )
        except OSError:
            return {"ms": None, "path": None, "error": "unreachable"}
        if elapsed is None:
            error = "timeout" if link.peer.online else "unreachable"
            return {"ms": None, "path": None, "error": error}
        self._daemon.latencies_ms[link.peer.machine_id] = round(elapsed, 2)
        path = {"direct": "direct", "derp": "relayed"}.get(link.label, "tunnel")
        return {"ms": round(elapsed, 2), "path": path, "error": None}

    async def set(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Change preferences: {"changes"} -> all of them as they are now."""
        changes = dict(request["changes"])
        hostview.check_exit_node(changes.get("exit_node"), self._daemon.membership.netmap)
        return preferences.values(await self._daemon.change(changes))

    async def dns(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What `ztna dns status` shows."""
        return hostview.naming(self._daemon.upkeep, self._daemon.membership.netmap)

    async def resolve(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """One name as programs of this host get it; None while MagicDNS is off."""
        return await self._daemon.upkeep.dns.resolve(str(request["name"]), str(request["type"]))

    async def identity(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """A peer's refused change of identity: {"pinned", "offered"}, base64."""
        change = self._daemon.network.swapped.get(str(request["machine_id"]))
        if change is None:
            raise AgentError("NOT_FOUND", "its identity is the one seen before; there is nothing to accept")
        return {"pinned": change.pinned, "offered": change.offered}

    async def accept_identity(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Pin the identity that the caller was shown."""
        daemon = self._daemon
        if not daemon.network.accept_identity(str(request["machine_id"]), str(request["offered"])):
            raise AgentError("CONFLICT", "the machine shows yet another identity now; look again")
        assert daemon.membership.netmap is not None  # it is where the offered identity came from
        daemon.membership.on_netmap(daemon.membership.netmap)
        return {"accepted": True}

    async def path(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a peer on the relay, or let its path be chosen again: {"machine_id", "held"}."""
        link = self._link(str(request["machine_id"]))
        self._daemon.network.hold(link, bool(request["held"]))
        return {"machine_id": link.peer.machine_id, "held": link.path.held, "path": link.label}

    async def stop(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Say goodbye, then end; the answer goes out first."""
        daemon = self._daemon
        heard = await daemon.goodbye()
        asyncio.get_running_loop().call_later(EXIT_PAUSE_SECONDS, daemon.stop)
        return {"stopped": True, "pid": os.getpid(), "offline_heartbeat": heard}

    def _peers(self) -> list[dict[str, Any]]:
        daemon = self._daemon
        return report.peers(daemon.network, daemon.membership.netmap, daemon.latencies_ms)

    def _link(self, machine_id: str) -> PeerLink:
        link = self._daemon.network.links.get(machine_id)
        if link is None:
            raise AgentError("NOT_FOUND", "no such peer, or policy hides it")
        return link
