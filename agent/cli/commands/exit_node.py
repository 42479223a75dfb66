"""`ztna exit-node list` and `ztna exit-node suggest`."""

import math
from typing import Any

import click

from agent.cli.context import Context
from agent.cli.flags import FlagGroup
from agent.cli.output import json_option, milliseconds, plain, print_json, print_table
from agent.errors import AgentError


@click.group("exit-node", cls=FlagGroup)
def command() -> None:
    """Machines that carry all traffic of others."""


@command.command("list")
@json_option
@click.pass_obj
def list_nodes(context: Context, as_json: bool) -> None:
    """List exit nodes that this machine may use."""
    status = _status(context)
    rows = [
        {
            "machine_id": peer["id"],
            "name": peer["name"],
            "tailnet_ip": peer["tailnet_ip"],
            "region": peer["derp_region"],
            "online": peer["online"],
            "approved": True,
            "selected": peer["id"] == status["exit_node"],
        }
        for peer in status["peers"]
        if peer["exit_node"]
    ]
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("No exit nodes available.")
    else:
        header = ("NAME", "IP", "DERP", "ONLINE", "APPROVED", "SELECTED")
        print_table(header, [_row(row) for row in rows])


@command.command()
@json_option
@click.pass_obj
def suggest(context: Context, as_json: bool) -> None:
    """Name the best exit node and how to choose it."""
    status = _status(context)
    nodes = [peer for peer in status["peers"] if peer["exit_node"] and peer["online"]]
    if not nodes:
        raise AgentError("NOT_FOUND", "no exit node is online")
    home = status["derp_region"]

    def order(peer: dict[str, Any]) -> tuple[float, bool, str]:
        latency = peer["latency_ms"]
        return math.inf if latency is None else latency, peer["derp_region"] != home, peer["name"]

    best = min(nodes, key=order)
    reasons = ["online", "approved"]
    if best["latency_ms"] is not None:
        reasons.insert(0, f"nearest, {milliseconds(best['latency_ms'])}")
    if best["derp_region"] == home and home:
        reasons.insert(0, "same relay region")
    if as_json:
        print_json(
            {
                "machine_id": best["id"],
                "name": best["name"],
                "tailnet_ip": best["tailnet_ip"],
                "region": best["derp_region"],
                "rtt_ms": best["latency_ms"],
                "reason": ", ".join(reasons),
            }
        )
        return
    click.echo(f"{plain(best['name'])} ({best['tailnet_ip']}): {', '.join(reasons)}")
    click.echo(f"Use it with: ztna set --exit-node {plain(best['name'])}")


def _status(context: Context) -> dict[str, Any]:
    context.machine()
    status: dict[str, Any] = context.ask("status")
    return status


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    online, approved = ("yes" if row[name] else "no" for name in ("online", "approved"))
    selected = "*" if row["selected"] else ""
    return plain(row["name"]), row["tailnet_ip"], plain(row["region"] or "-"), online, approved, selected
