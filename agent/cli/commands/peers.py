"""`ztna peers [NAME]` and `ztna peers accept NAME`."""

import base64
import hashlib
from typing import Any

import click

from agent.cli.context import Context
from agent.cli.output import ago, bytes_text, json_option, milliseconds, plain, print_json, style
from agent.cli.peertable import print_peers, tags


@click.command()
@click.argument("name", required=False)
@click.argument("changed", required=False, metavar="")
@click.option("--active", is_flag=True, help="Only peers that can be reached now.")
@click.option("--yes", is_flag=True, help="With accept: do not ask.")
@json_option
@click.pass_obj
def command(
    context: Context, name: str | None, changed: str | None, active: bool, yes: bool, as_json: bool
) -> None:
    """List peers and the paths to them, or tell all about peer NAME.

    `ztna peers accept NAME` trusts the new identity of a machine that was refused for it, after it was
    set up anew, say.
    """
    if changed is not None:
        if name != "accept":
            raise click.UsageError(f"got an unexpected argument ({changed})")
        _accept(context, changed, yes=yes, as_json=as_json)
        return
    if name is not None:
        peer = context.find_peer(name)
        print_json(peer) if as_json else _print_one(peer)
        return
    machine = context.machine()
    status = context.ask_if_running("status")
    peers = [
        peer for peer in (status["peers"] if status else context.peers()) if peer["reachable"] or not active
    ]
    if as_json:
        print_json(peers)
        return
    if status is None:
        click.echo(style("VPN not running; this is the last known network.", fg="yellow"))
    elif status["quarantined"]:
        click.echo(style(f"Quarantined ({status['quarantined']}): this machine sees no peers.", fg="red"))
        return
    own_name = status["machine"]["name"] if status else machine.name
    click.echo(style(f"{plain(own_name)}  {machine.tailnet_ip}", bold=True) + "   stun -> direct -> relay\n")
    if not peers:
        click.echo("No peers yet." if not active else "No peer can be reached now.")
        return
    region = (status or {}).get("derp_region") or "-"
    own = [f"  {plain(own_name)}", machine.tailnet_ip, style("self", fg="cyan"), "-", "-", "-", plain(region)]
    offered = plain(", ".join(status["approved_routes"] if status else ()) or "-")
    print_peers([*own, offered, tags(machine.tags), "now" if status else "-"], peers)


def _accept(context: Context, name: str, *, yes: bool, as_json: bool) -> None:
    peer = context.find_peer(name)
    change = context.ask("identity", machine_id=peer["id"])
    if not yes:
        click.echo(f"{plain(peer['name'])} shows another identity than the one seen before.", err=True)
        click.echo(f"  before  {_fingerprint(change['pinned'])}", err=True)
        click.echo(f"  now     {_fingerprint(change['offered'])}", err=True)
        click.echo("Accept it only if you know why: whoever runs the control plane can swap keys.", err=True)
        click.confirm("Accept the new identity?", abort=True, err=True)
    context.ask("accept_identity", machine_id=peer["id"], offered=change["offered"])
    if as_json:
        print_json({"accepted": peer["name"], "identity": change["offered"]})
    else:
        click.echo(f"The identity of {plain(peer['name'])} is accepted.")


def _fingerprint(identity: str) -> str:
    return "SHA256:" + hashlib.sha256(base64.b64decode(identity)).hexdigest()[:32]


def _print_one(peer: dict[str, Any]) -> None:
    pqc = peer["pqc"]
    age = f", key {pqc['psk_age_s']} s old" if pqc["psk_age_s"] is not None else ""
    words = {"verified": "hybrid X25519 + ML-KEM-768", "pending": "pending", "classical": "classical"}
    direct = peer["path"] == "direct"
    fields = {
        "Name": peer["name"],
        "Tailnet IP": peer["tailnet_ip"],
        "MagicDNS": peer["magicdns_name"],
        "Public Key": peer["public_key"],
        "Path": f"{peer['path']} ({milliseconds(peer['latency_ms'])})",
        "Endpoint": peer["endpoint"] or "-",
        "Direct EP": peer["endpoint"] if direct else "-",
        "DERP Region": f"{peer['derp_region'] or '-'}{' (in use)' if peer['needs_relay'] else ''}",
        "Reachable": str(peer["reachable"]).lower(),
        "Needs Relay": str(peer["needs_relay"]).lower(),
        "PSK": words[pqc["state"]] + age,
        "Traffic": f"{bytes_text(peer['rx_bytes'])} received, {bytes_text(peer['tx_bytes'])} sent",
        "Handshake": ago(peer["last_handshake"]),
        "Last Seen": "now" if peer["online"] else ago(peer["last_seen"]),
        "Owner": peer["owner_email"] or "-",
        "Tags": tags(peer["tags"]),
        "Routes": ", ".join(peer["routes"]) or "-",
        "Exit Node": "yes" if peer["exit_node"] else "no",
    }
    if peer["refused"]:
        fields["Refused"] = style(f"{peer['refused']}; no traffic goes to it", fg="red")
    for label, value in fields.items():
        click.echo(f"{style(f'{label:<12}', dim=True)} {value if label == 'Refused' else plain(value)}")
