"""Preferences of this machine: told to the control plane first, kept only if it agrees."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.errors import AgentError
from agent.io.control import ControlClient
from agent.state import Config, MachineState, Store

# Preferences that the control plane must know, by the name of its flag.
FLAGS = ("shields_up", "accept_routes", "advertise_exit_node")
LOCAL = ("exit_node", "exit_node_allow_lan_access", "accept_dns", "dns_domain", "gateway", "bypass")
NAMES = (*FLAGS, *LOCAL, "advertise_routes")
OFF = ("", "off", "none")


def check(changes: Mapping[str, Any], *, gateway_routes: Sequence[str] = ()) -> dict[str, Any]:
    """Preferences in their one form; AgentError names the first that makes no sense."""
    checked = dict(changes)
    for name in ("advertise_routes", "bypass"):
        if name in checked:
            checked[name] = networks(checked[name])
    if checked.get("exit_node") in OFF:
        checked["exit_node"] = None
    if checked.get("gateway") and not (checked.get("advertise_routes") or gateway_routes):
        raise AgentError("INVALID_INPUT", "--gateway needs --advertise-routes: the networks it leads to")
    return checked


def networks(texts: Sequence[str]) -> tuple[str, ...]:
    """Networks in canonical form; AgentError for one with host bits set, or none at all."""
    found = []
    for text in texts:
        try:
            network = ipaddress.ip_network(text)
        except ValueError:
            raise AgentError("INVALID_INPUT", _unaligned(text)) from None
        if network.prefixlen == 0:
            raise AgentError(
                "INVALID_INPUT", f"{text} is the whole internet: offer it with --advertise-exit-node"
            )
        found.append(str(network))
    return tuple(dict.fromkeys(found))


async def change(
    store: Store, client: ControlClient, machine: MachineState, changes: Mapping[str, Any]
) -> Config:
    """Tell the control plane, then keep; AgentError, and nothing kept, when it refuses or is not there.

    Also takes hostname and tags, which the control plane alone keeps.
    """
    checked = check(changes, gateway_routes=store.config().advertise_routes)

    async def tell(action: str, **what: Any) -> None:
        body = {"action": action, "org_id": machine.org_id, "machine_id": machine.machine_id, **what}
        await client.call("POST", "/api/machine-admin", body, token=machine.node_key)

    flags = {name: checked[name] for name in FLAGS if name in checked}
    if flags:
        await tell("update_flags", **flags)
    if "advertise_routes" in checked:
        await tell("advertise_routes", routes=list(checked["advertise_routes"]))
    if "hostname" in checked:
        await tell("rename", name=checked["hostname"])
    if "tags" in checked:
        await tell("update_tags", tags=list(checked["tags"]))
    kept = {name: value for name, value in checked.items() if name in (*NAMES, "hostname")}
    config = replace(store.config(), **kept)
    store.save(config)
    return config


def values(config: Config) -> dict[str, Any]:
    """Every preference by name, as JSON has it."""
    found = {name: getattr(config, name) for name in NAMES}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def defaults() -> dict[str, Any]:
    """What `--reset` goes back to."""
    return values(Config())


def _unaligned(text: str) -> str:
    try:
        aligned = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return f"{text!r} is not a network such as 10.1.0.0/16"
    return f"{text} has host bits set; did you mean {aligned}?"
