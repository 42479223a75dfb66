"""How peers look in a terminal."""

from collections.abc import Sequence
from typing import Any

from agent.cli.output import ago, milliseconds, plain, print_table, style

_PATHS = {"direct": "green", "derp": "yellow", "self": "cyan"}
_PQC = {"verified": ("hybrid", "green"), "pending": ("pending", "yellow"), "classical": ("classical", "red")}


def peer_row(peer: dict[str, Any]) -> list[str]:
    """One row of `ztna peers`."""
    if peer["refused"]:
        path = style("refused", fg="red")
    elif not peer["online"]:
        path = style("offline", dim=True)
    else:
        path = style(peer["path"], fg=_PATHS.get(peer["path"]))
    word, colour = _PQC[peer["pqc"]["state"]]
    return [
        f"{dot(peer)} {plain(peer['name'])}",
        peer["tailnet_ip"],
        path,
        milliseconds(peer["latency_ms"] if peer["online"] else None),
        style(word, fg=colour) if peer["online"] else style("-", dim=True),
        peer["endpoint"] or "-",
        plain(peer["derp_region"] or "-"),
        plain(", ".join(peer["routes"]) or "-"),
        tags(peer["tags"]),
        "now" if peer["online"] else ago(peer["last_seen"]),
    ]


def print_peers(own: Sequence[str] | None, peers: Sequence[dict[str, Any]]) -> None:
    """The table; own is the row of this machine."""
    header = (
        "  NAME",
        "TAILNET IP",
        "PATH",
        "LATENCY",
        "PSK",
        "ENDPOINT",
        "DERP REGION",
        "ROUTES",
        "TAGS",
        "LAST SEEN",
    )
    print_table(header, [*([own] if own else []), *(peer_row(peer) for peer in peers)])


def dot(peer: dict[str, Any]) -> str:
    """Green when reachable, yellow when online without a session yet, hollow when offline."""
    if peer["refused"]:
        return style("✕", fg="red")
    if not peer["online"]:
        return style("○", dim=True)
    return style("●", fg="green" if peer["reachable"] else "yellow")


def tags(values: Sequence[str]) -> str:
    """Tags as they are written in rules."""
    return " ".join(f"tag:{plain(tag)}" for tag in values) or "-"
