"""A wg-quick file of this machine's tunnel."""

from collections.abc import Iterable, Mapping
from typing import Any

from wire.numbers import AGENT_PORT, KEEPALIVE_SECONDS, MAGICDNS_ADDRESS, TUNNEL_MTU

PLACEHOLDER = "REPLACE-WITH-THE-PRIVATE-KEY-OF-THAT-MACHINE"
WARNING = (
    "# Pre-shared keys are renewed every 120 s: a peer that runs ztna refuses those below soon.",
    "# Use this file where a pair is classical, or to look at what ztna does.",
)


def render(
    *, private_key: str, addresses: Iterable[str], peers: Iterable[Mapping[str, Any]], port: int = AGENT_PORT
) -> str:
    """peers: name, public_key, allowed_ips, and endpoint and preshared_key or None."""
    lines = [
        *WARNING,
        "[Interface]",
        f"PrivateKey = {private_key}",
        f"Address = {', '.join(addresses)}",
        f"ListenPort = {port}",
        f"DNS = {MAGICDNS_ADDRESS}",
        f"MTU = {TUNNEL_MTU}",
    ]
    for peer in peers:
        # A name is a DNS label at the control plane, but it comes from elsewhere all the same.
        name = "".join(char for char in str(peer["name"]) if char.isprintable())
        lines += ["", f"# {name}", "[Peer]", f"PublicKey = {peer['public_key']}"]
        if peer.get("preshared_key"):
            lines.append(f"PresharedKey = {peer['preshared_key']}")
        if peer.get("endpoint"):
            lines.append(f"Endpoint = {peer['endpoint']}")
        lines.append(f"AllowedIPs = {', '.join(peer['allowed_ips'])}")
        lines.append(f"PersistentKeepalive = {KEEPALIVE_SECONDS}")
    return "\n".join(lines) + "\n"
