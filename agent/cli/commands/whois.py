"""`ztna whois IP`."""

import ipaddress
from typing import Any

import click

from agent.cli.context import Context
from agent.cli.output import json_option, plain, print_json
from agent.errors import AgentError
from wire.numbers import TAILNET_CIDR


@click.command()
@click.argument("address")
@json_option
@click.pass_obj
def command(context: Context, address: str, as_json: bool) -> None:
    """Tell which machine has a tailnet ADDRESS (ip or ip:port)."""
    found = _find(context, _tailnet_address(address))
    if as_json:
        print_json(found)
        return
    labels = {
        "machine": found["name"],
        "id": found["id"],
        "address": found["tailnet_ip"],
        "owner": found["owner_email"] or "-",
        "endpoint": found["endpoint"] or "-",
        "relay": found["derp_region"] or "-",
        "tags": ", ".join(f"tag:{tag}" for tag in found["tags"]) or "-",
    }
    for name, value in labels.items():
        click.echo(f"{name:<9} {plain(value)}")


def _find(context: Context, address: str) -> dict[str, Any]:
    names = ("name", "id", "tailnet_ip", "owner_email", "endpoint", "derp_region", "needs_relay", "tags")
    machine = context.machine()
    if address in (machine.tailnet_ip, machine.tailnet_ipv6):
        own = {"name": machine.name, "id": machine.machine_id, "tailnet_ip": machine.tailnet_ip}
        return {**dict.fromkeys(names), **own, "tags": list(machine.tags)}
    for peer in context.peers():
        if address in (peer["tailnet_ip"], peer["tailnet_ipv6"]):
            return {name: peer[name] for name in names}
    raise AgentError("NOT_FOUND", f"no machine in your network has {address}")


def _tailnet_address(text: str) -> str:
    host = text.rpartition(":")[0] if text.count(":") == 1 else text
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise AgentError("INVALID_INPUT", f"{text!r} is not an address") from None
    if address.version == 4 and address not in ipaddress.ip_network(TAILNET_CIDR):
        raise AgentError("INVALID_INPUT", f"{address} is not a tailnet address ({TAILNET_CIDR})")
    return str(address)
