"""What the daemon answers to `ztna debug` and `ztna metrics`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agent import __version__
from agent.diagnostics import runtime
from agent.io.owned import OwnedPort

if TYPE_CHECKING:
    from agent.daemon import Daemon
    from agent.io.ipc import Handler


class Diagnostics:
    """Handlers by command; all of them only read."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.reads: Mapping[str, Handler] = {
            "dump": self.dump,
            "derp": self.derp,
            "runtime": self.runtime,
            "gauges": self.gauges,
        }

    async def dump(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Threads and tasks of the daemon."""
        return {"threads": runtime.threads(), "tasks": runtime.tasks()}

    async def derp(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The relay side of this machine."""
        daemon = self._daemon
        relays, regions = daemon.relays, daemon.regions
        home = next((region for region in regions if region.region_code == relays.home), None)
        links = [(link.peer.name, link) for link in daemon.network.links.values()]
        return {
            "home_region": relays.home,
            "host": home.hostname if home else None,
            "stun_server": f"{home.hostname}:{home.stun_port}" if home else None,
            "connected": relays.connected,
            "tls_group": relays.tls_group,
            "latencies_ms": daemon.discovery.latest.latencies_ms,
            "peers_by_relay": sum(link.label == "derp" for _, link in links),
            "peers_direct": sum(link.label == "direct" for _, link in links),
            "peers": [
                {
                    "name": name,
                    "path": link.label,
                    "endpoint": str(link.path.direct) if link.path.direct else "[DERP]",
                    "region": link.peer.derp_region,
                    "latency_ms": round(link.path.rtt * 1000, 2) if link.path.rtt is not None else None,
                }
                for name, link in sorted(links, key=lambda pair: pair[0])
            ],
        }

    async def runtime(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Version, memory, loop lag, backend."""
        daemon = self._daemon
        per_call = daemon.port.packets_per_call if isinstance(daemon.port, OwnedPort) else (None, None)
        return {
            "version": __version__,
            **await runtime.figures(),
            "backend": daemon.wireguard.backend,
            "derp_region": daemon.relays.home,
            "dns_enabled": daemon.upkeep.dns.status()["installed"] is not None,
            "userspace": daemon.platform.mode == "userspace",
            "port": "owned" if daemon.ports.owned else "shared",
            **dict(zip(("packets_per_call_in", "packets_per_call_out"), per_call, strict=True)),
        }

    async def gauges(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What `exposition.render` needs beside the status."""
        daemon = self._daemon
        drops: dict[str, int] = {}
        for counter in daemon.upkeep.filter.counters():
            if counter.action == "drop":
                rule = counter.rule or counter.chain
                drops[rule] = drops.get(rule, 0) + counter.packets
        changed = daemon.membership.changed_at
        return {
            "latencies_ms": daemon.discovery.latest.latencies_ms,
            "dns": daemon.upkeep.dns.status()["counters"] or {},
            "drops": drops,
            "netmap_age_s": round(time.monotonic() - changed, 1) if changed is not None else None,
        }
