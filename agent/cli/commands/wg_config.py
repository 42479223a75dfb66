"""`ztna wg-config export`."""

import time
from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.output import json_option, print_json
from agent.clock import rfc3339
from agent.errors import AgentError
from agent.state import Config, MachineState

if TYPE_CHECKING:
    from agent.session import Session
    from wire.netmap import Peer

# How long the keys of a hybrid pair stay in force.
_LIFE_SECONDS = 120


@click.group("wg-config")
def command() -> None:
    """This machine's tunnel for other WireGuard tools."""


@command.command()
@click.option("--machine", "machine_id", metavar="ID", help="Another machine of yours; its key is left out.")
@json_option
@click.pass_obj
def export(context: Context, machine_id: str | None, as_json: bool) -> None:
    """Print a wg-quick file, private key included: keep it to yourself."""
    machine = context.store.machine()
    if machine_id is None and machine is None:
        raise AgentError("NOT_REGISTERED", "not registered. Run 'ztna up' first, or pass --machine ID")
    if machine is not None and machine_id in (None, machine.machine_id):
        document = _own(context, machine)
    else:
        document = _other(context, str(machine_id))
    now = time.time()
    times = {"generated_at": rfc3339(now), "expires_at": rfc3339(now + _LIFE_SECONDS)}
    if as_json:
        print_json({**document, "Config": document["config"], **times})
    else:
        click.echo(document["config"], nl=False)


def _own(context: Context, machine: MachineState) -> dict[str, Any]:
    """From the last map and the keys on this machine."""
    from agent.diagnostics.wgquick import render
    from wire.binary import WireError
    from wire.netmap import Netmap

    saved = context.store.load_json("netmap.json")
    try:
        netmap = Netmap.from_json(saved) if saved else None
    except WireError:
        netmap = None
    if netmap is None:
        raise AgentError("NO_MAP", "this machine has no map of its network yet. Run 'ztna up' first")
    found = {peer["id"]: peer for peer in context.ask_if_running("peers") or []}
    peers = [
        _peer(context, peer, found.get(peer.machine_id, {}))
        for peer in netmap.peers.values()
        if peer.online and peer.wireguard_public_key
    ]
    addresses = [f"{machine.tailnet_ip}/32"]
    if machine.tailnet_ipv6:
        addresses.append(f"{machine.tailnet_ipv6}/128")
    return {
        "config": render(private_key=machine.wireguard_private_key, addresses=addresses, peers=peers),
        "machine_id": machine.machine_id,
        "name": machine.name,
        "tailnet_ip": machine.tailnet_ip,
        "peers": len(peers),
    }


def _peer(context: Context, peer: "Peer", live: dict[str, Any]) -> dict[str, Any]:
    from agent.engine.keyring import Keyring
    from agent.pairkeys import keyring_file
    from wire.binary import decode_key, encode_key
    from wire.numbers import X25519_KEY_BYTES

    wireguard = decode_key(peer.wireguard_public_key, X25519_KEY_BYTES)
    current = Keyring.from_json(context.store.load_json(keyring_file(wireguard)) or {}, wireguard).current
    own = [f"{peer.tailnet_ip}/32", *([f"{peer.tailnet_ipv6}/128"] if peer.tailnet_ipv6 else [])]
    direct = live.get("endpoint") if live.get("path") == "direct" else None
    return {
        "name": peer.name,
        "public_key": peer.wireguard_public_key,
        "preshared_key": encode_key(current.psk) if current else None,
        "endpoint": direct or next(iter(peer.endpoints), None),
        "allowed_ips": [*own, *peer.routes],
    }


def _other(context: Context, machine_id: str) -> dict[str, Any]:
    """From the control plane, which never had the private key."""
    from agent.diagnostics.wgquick import PLACEHOLDER, render

    async def read(session: "Session", config: Config) -> Any:
        body = {"org_id": config.org_id, "machine_id": machine_id}
        return await session.call("POST", "/api/client-setup", body)

    answer = context.as_person(read)
    tunnel = answer["wireguard"]
    text = render(
        private_key=PLACEHOLDER,
        addresses=tunnel["address"],
        peers=tunnel["peers"],
        port=tunnel["listen_port"],
    )
    return {
        "config": text,
        "machine_id": answer["machine_id"],
        "name": answer["name"],
        "tailnet_ip": answer["tailnet_ip"],
        "peers": len(tunnel["peers"]),
    }
