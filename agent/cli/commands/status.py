"""`ztna status`."""

import sys
from typing import Any

import click

from agent import __version__
from agent.cli.context import Context
from agent.cli.output import json_option, milliseconds, plain, print_json, style
from agent.cli.peertable import print_peers
from agent.settings import machine_arch

SHOWN_PEERS = 5
_DISCONNECTED: dict[str, Any] = {
    "connected": False,
    "control_connected": False,
    "refusal": None,
    "map_refused": None,
    "mode": "disconnected",
    "backend": None,
    "mtu": None,
    "interface": None,
    "derp_region": None,
    "derp_connected": False,
    "derp_latency_ms": None,
    "endpoints": [],
    "pqc": {"active": False, "pairs_pq": 0, "pairs_total": 0},
    "peers_online": 0,
    "peers_offline": 0,
    "peers_blocked": None,
    "update_available": None,
    "exit_node": None,
    "ssh": False,
    "dns": {"enabled": False, "blocked": 0},
    "quarantined": None,
    "pid": None,
}


@click.command()
@click.option("--active", is_flag=True, help="Only peers that are online.")
@click.option("--peers/--no-peers", default=True, help="Include the list of peers.")
@json_option
@click.pass_obj
def command(context: Context, active: bool, peers: bool, as_json: bool) -> None:
    """Show the state of this machine and its network."""
    status = context.ask_if_running("status") or _from_files(context)
    status["authenticated"] = context.store.tokens() is not None
    listed = [peer for peer in status.pop("peers") if peer["online"] or not active]
    if as_json:
        print_json({**status, **({"peers": listed} if peers else {})})
        return
    _print(status)
    if peers and listed:
        click.echo()
        # Those that are there come first; beyond five, `ztna peers` has them all.
        listed.sort(key=lambda peer: (not peer["online"], peer["name"]))
        print_peers(None, listed[:SHOWN_PEERS])
        if len(listed) > SHOWN_PEERS:
            click.echo(style(f"and {len(listed) - SHOWN_PEERS} more; see 'ztna peers'", dim=True))


def _print(status: dict[str, Any]) -> None:
    machine, pqc = status["machine"], status["pqc"]
    if status["connected"]:
        state = style("● connected", fg="green", bold=True)
        if status["quarantined"]:
            state = style(f"● quarantined ({plain(status['quarantined'])})", fg="red", bold=True)
        elif machine["status"] == "pending":
            state = style("● waiting for approval", fg="yellow", bold=True)
    else:
        state = style("○ disconnected", dim=True)
    version = f"ztna {__version__} on {status['os']}/{status['arch']}"
    click.echo(f"{state}   {style(version, dim=True)}\n")
    rows: list[tuple[str, str]] = []
    if machine is None:
        rows.append(("Machine", "Not registered (run 'ztna up')"))
    else:
        rows += [
            ("Machine", f"{style(plain(machine['name']), bold=True)}   {plain(machine['magicdns_name'])}"),
            ("Address", f"{status['tailnet_ip']}   {style(machine['id'], dim=True)}"),
            ("Tailnet", f"{plain(status['tailnet'] or '-')}   {style(status['org_id'], dim=True)}"),
        ]
    rows.append(("Control", _control(status)))
    rows.append(("Authenticated", "true" if status["authenticated"] else "false (run 'ztna login')"))
    if status["connected"]:
        rows.append(
            (
                "Tunnel",
                f"{status['mode']} on {status['interface']} ({status['backend']}), MTU {status['mtu']}",
            )
        )
        if refused := status["map_refused"]:
            text = f"one that takes {refused['lost']} peers away is not acted on: {plain(refused['why'])}"
            rows.append(("Map", style(text, fg="red")))
        rows.append(("DERP Region", _relay(status)))
        rows.append(("Quantum-safe", _quantum(pqc)))
        rows.append(("Peers", f"{status['peers_online']} online, {status['peers_offline']} offline"))
    rows += _offers(status)
    # Aligned at the colon: scripts look for `Authenticated: true`.
    for label, value in rows:
        click.echo(f"{style(f'{label}:'.rjust(18), dim=True)} {value}")


def _offers(status: dict[str, Any]) -> list[tuple[str, str]]:
    """What this machine carries and refuses, where it is not the usual."""
    rows = []
    if status["advertised_routes"]:
        rows.append(("AdvertisedRoutes", plain(", ".join(status["advertised_routes"]))))
    if status["advertise_exit_node"]:
        rows.append(("ExitNode", "advertising"))
    if status["shields_up"]:
        rows.append(("Shields", "up"))
    return rows


def _control(status: dict[str, Any]) -> str:
    address = plain(status["api_url"] or "-")
    if not status["connected"]:
        return address
    if status["control_connected"]:
        return f"{address}   {style('connected', fg='green')}"
    reason = status["refusal"] or "not reachable; tunnels stay up"
    return f"{address}   {style(plain(reason), fg='yellow')}"


def _relay(status: dict[str, Any]) -> str:
    if not status["derp_region"]:
        return style("none known", fg="yellow")
    state = (
        style("connected", fg="green") if status["derp_connected"] else style("not connected", fg="yellow")
    )
    return f"{plain(status['derp_region'])}   {milliseconds(status['derp_latency_ms'])}   {state}"


def _quantum(pqc: dict[str, Any]) -> str:
    if not pqc["pairs_total"]:
        return "no pairs yet"
    text = f"{pqc['pairs_pq']} of {pqc['pairs_total']} pairs hybrid (X25519 + ML-KEM-768)"
    return style(text, fg="green" if pqc["pairs_pq"] == pqc["pairs_total"] else "yellow")


def _from_files(context: Context) -> dict[str, Any]:
    """What is known without the daemon."""
    config, machine = context.store.config(), context.store.machine()
    described = None
    if machine is not None:
        described = {
            "id": machine.machine_id,
            "name": machine.name,
            "magicdns_name": machine.magicdns_name,
            "tailnet_ip": machine.tailnet_ip,
            "tags": list(machine.tags),
            "status": "offline",
        }
    return {
        "version": __version__,
        "os": sys.platform,
        "arch": machine_arch(),
        **_DISCONNECTED,
        "api_url": config.api_url or context.settings.api_url,
        "org_id": config.org_id,
        "tailnet": machine.magicdns_name.partition(".")[2] if machine else None,
        "machine_id": machine.machine_id if machine else None,
        "machine": described,
        "tailnet_ip": machine.tailnet_ip if machine else None,
        "public_key": machine.wireguard_public_key if machine else None,
        "node_key": machine.wireguard_public_key if machine else None,
        "advertise_exit_node": config.advertise_exit_node,
        "advertised_routes": list(config.advertise_routes),
        "accept_routes": config.accept_routes,
        "shields_up": config.shields_up,
        "peers": context.peers() if machine else [],
    }
