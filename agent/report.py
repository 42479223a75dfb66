"""What `status`, `peers` and heartbeats say, built from the running network."""

import time
from typing import Any

from agent.clock import rfc3339
from agent.discovery import Findings
from agent.network import Network
from agent.peering import PeerLink
from agent.portmap.mapping import Mapping
from wire.netmap import Netmap, Peer

REACHABLE_SECONDS = 180.0
MAX_PATHS = 1000
PORTMAP_FLAGS = {"pcp": "pcp", "pmp": "nat-pmp", "upnp": "upnp"}


def peer_document(link: PeerLink, latency_ms: float | None) -> dict[str, Any]:
    """One peer of `ztna peers --json`."""
    now, status = time.monotonic(), link.status
    age = now - link.last_handshake
    hybrid = link.pqc == "verified"
    endpoint = str(link.path.direct) if link.path.direct else None
    return {
        **_described(link.peer),
        "path": link.label,
        "endpoint": "[DERP]" if link.label == "derp" else endpoint,
        "latency_ms": latency_ms,
        "rx_bytes": status.rx_bytes,
        "tx_bytes": status.tx_bytes,
        "last_handshake": rfc3339(status.last_handshake) if status.last_handshake else None,
        "reachable": link.peer.online and age < REACHABLE_SECONDS,
        "needs_relay": link.label == "derp",
        "pqc": {"state": link.pqc, "psk_age_s": round(now - link.psk.in_force_at) if hybrid else None},
        "refused": None,
    }


def refused_document(peer: Peer, reason: str) -> dict[str, Any]:
    """A peer whose keys we do not accept."""
    return {
        **_described(peer),
        "path": "none",
        "endpoint": None,
        "latency_ms": None,
        "rx_bytes": 0,
        "tx_bytes": 0,
        "last_handshake": None,
        "reachable": False,
        "needs_relay": False,
        "pqc": {"state": "pending", "psk_age_s": None},
        "refused": reason,
    }


def peers(network: Network, netmap: Netmap | None, latencies_ms: dict[str, float]) -> list[dict[str, Any]]:
    """All peers, by name."""
    documents = [peer_document(link, latency(link, latencies_ms)) for link in network.links.values()]
    if netmap is not None:
        documents += [
            refused_document(netmap.peers[key], reason)
            for key, reason in network.refused.items()
            if key in netmap.peers
        ]
    return sorted(documents, key=lambda peer: str(peer["name"]))


def heartbeat_paths(network: Network, latencies_ms: dict[str, float]) -> list[dict[str, Any]]:
    """`paths` of a heartbeat, where the relay is called by its name."""
    return [
        {
            "machine_id": link.peer.machine_id,
            "path": "relay" if link.label == "derp" else link.label,
            "rtt_ms": latency(link, latencies_ms),
            "pqc": link.pqc,
            "endpoint": str(link.path.direct) if link.path.direct else None,
            "rx_bytes": link.status.rx_bytes,
            "tx_bytes": link.status.tx_bytes,
        }
        for link in list(network.links.values())[:MAX_PATHS]
    ]


def heartbeat(
    network: Network,
    found: Findings,
    home: str | None,
    latencies_ms: dict[str, float],
    mapping: Mapping | None,
) -> dict[str, Any]:
    """A sign of life with what changed since: addresses, regions, paths."""
    return {
        "status": "online",
        "endpoints": [str(endpoint) for endpoint in found.endpoints],
        "derp_region": home,
        "derp_latencies": found.latencies_ms,
        "connectivity": {
            "udp": found.udp,
            "ipv6": any(":" in endpoint.host for endpoint in found.endpoints),
            "mapping_varies": found.mapping_varies,
            "preferred_derp": home,
            # The protocol in use; those that were not needed are not asked.
            **{flag: True for flag, name in PORTMAP_FLAGS.items() if mapping and mapping.protocol == name},
        },
        "paths": heartbeat_paths(network, latencies_ms),
    }


def latency(link: PeerLink, latencies_ms: dict[str, float]) -> float | None:
    """Round trip of the present path: measured by disco when direct, by the last ping otherwise."""
    if link.path.rtt is not None:
        return round(link.path.rtt * 1000, 2)
    return latencies_ms.get(link.peer.machine_id)


def _described(peer: Peer) -> dict[str, Any]:
    return {
        "id": peer.machine_id,
        "name": peer.name,
        "tailnet_ip": peer.tailnet_ip,
        "tailnet_ipv6": peer.tailnet_ipv6,
        "magicdns_name": peer.magicdns_name,
        "public_key": peer.wireguard_public_key,
        "os": peer.os,
        "online": peer.online,
        "derp_region": peer.derp_region,
        "last_seen": peer.last_seen,
        "owner_email": peer.owner_email,
        "tags": list(peer.tags),
        "routes": list(peer.routes),
        "exit_node": peer.exit_node,
    }
