"""How each kind of change to the host is taken back. Doing it twice is harmless; errors are OSError."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.host.program import run

# Written at the head of a resolv.conf of ours: what lacks it belongs to somebody else by now.
RESOLV_CONF_MARK = "# written by ztna; the former content returns at 'ztna down'"


def _interface(change: Mapping[str, Any]) -> None:
    from agent.io.wireguard_go import remove_stale_socket

    name = change["name"]
    if Path(f"/sys/class/net/{name}").exists():
        run("ip", "link", "del", "dev", name)
    remove_stale_socket(name)


def _table(change: Mapping[str, Any]) -> None:
    name = change["name"]
    run("nft", "-f", "-", stdin=f"table inet {name}\ndelete table inet {name}\n")


def _rule(change: Mapping[str, Any]) -> None:
    table = str(change["table"])
    for family in ("-4", "-6"):
        with contextlib.suppress(OSError):  # one family without it must not spare the other
            run("ip", family, "rule", "del", "pref", str(change["pref"]), "table", table)


def _route_table(change: Mapping[str, Any]) -> None:
    for family in ("-4", "-6"):
        with contextlib.suppress(OSError):
            run("ip", family, "route", "flush", "table", str(change["table"]))


def _sysctl(change: Mapping[str, Any]) -> None:
    Path(change["path"]).write_text(change["value"])


def _resolv_conf(change: Mapping[str, Any]) -> None:
    path, content = Path(change["path"]), change["content"]
    if not path.exists() or not path.read_text().startswith(RESOLV_CONF_MARK):
        return
    if content is None:
        path.unlink()
    else:
        # In place: the file may be a bind mount, which cannot be renamed over.
        path.write_text(content)


def _resolvconf(change: Mapping[str, Any]) -> None:
    run("resolvconf", "-d", change["interface"])


def _resolved(change: Mapping[str, Any]) -> None:
    # Settings of a link go with the link; this is for a link that stays.
    if Path(f"/sys/class/net/{change['interface']}").exists():
        run("resolvectl", "revert", change["interface"])


_UNDO: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "interface": _interface,
    "table": _table,
    "rule": _rule,
    "route_table": _route_table,
    "sysctl": _sysctl,
    "resolv_conf": _resolv_conf,
    "resolvconf": _resolvconf,
    "resolved": _resolved,
}


def undo(change: Mapping[str, Any]) -> None:
    """Take one recorded change back; a kind from a newer version is left alone."""
    action = _UNDO.get(change["kind"])
    if action is not None:
        action(change)
