"""`ztna route list`, and what administrators do: approve, reject."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.flags import FlagGroup, comma_list
from agent.cli.output import json_option, plain, print_json, print_table
from agent.errors import AgentError
from agent.state import Config

if TYPE_CHECKING:
    from agent.session import Session

_OFFERS = "advertised_routes,approved_routes,advertise_exit_node,exit_node_approved"
_COLUMNS = f"id,name,magicdns_name,tailnet_ip,{_OFFERS}"


@click.group("route", cls=FlagGroup)
def command() -> None:
    """Networks behind machines."""


@command.command("list")
@click.option("--machine", help="Only this machine: name or id.")
@json_option
@click.pass_obj
def list_routes(context: Context, machine: str | None, as_json: bool) -> None:
    """List networks that machines offer, and which of them are approved."""
    carriers = (context.ask_if_running("status") or {}).get("carriers", {})
    rows = [_described(row, carriers) for row in context.as_person(_machines)]
    if machine is not None:
        rows = [_find(rows, machine)]
    rows = [row for row in rows if row["advertised"] or row["exit_node_advertised"] or machine is not None]
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("No machine offers a network.")
    else:
        print_table(("MACHINE", "IP", "ADVERTISED", "APPROVED", "EXIT NODE"), [_row(row) for row in rows])


def _decision(name: str, action: str, help_text: str, *, routes: bool) -> None:
    """One hidden command of administrators; the control plane decides who is one."""

    def run(context: Context, machine: str, as_json: bool, routes: tuple[str, ...] | None = None) -> None:
        async def decide(session: "Session", config: Config) -> Any:
            row = _find([_described(row, {}) for row in await _machines(session, config)], machine)
            body: dict[str, Any] = {
                "action": action,
                "org_id": config.org_id,
                "machine_id": row["machine_id"],
            }
            if routes is not None:
                body["routes"] = list(routes)
            return await session.call("POST", "/api/machine-admin", body)

        answer = context.as_person(decide)
        if as_json:
            print_json(answer)
            return
        for cidr in answer.get("approved_routes", ()):
            click.echo(f"approved: {plain(cidr)}")
        click.echo("Done.")

    run.__doc__ = help_text
    decorated: Callable[..., Any] = click.pass_obj(run)
    decorated = json_option(decorated)
    if routes:
        text = "Only these; all advertised ones by default."
        decorated = click.option("--routes", callback=comma_list, metavar="CIDR,...", help=text)(decorated)
    decorated = click.argument("machine")(decorated)
    command.command(name, hidden=True, help=help_text)(decorated)


_decision("approve", "approve_routes", "Let a machine carry the networks that it offers.", routes=True)
_decision("reject", "reject_routes", "Take networks from a machine.", routes=True)
_decision("approve-exit-node", "approve_exit_node", "Let a machine be an exit node.", routes=False)
_decision("reject-exit-node", "reject_exit_node", "Let a machine be an exit node no longer.", routes=False)


async def _machines(session: "Session", config: Config) -> list[dict[str, Any]]:
    query = {"org_id": str(config.org_id), "select": _COLUMNS, "order": "name.asc", "limit": "1000"}
    rows: list[dict[str, Any]] = await session.call("GET", "/api/db/machines", query=query)
    return rows


def _described(row: dict[str, Any], carriers: dict[str, str]) -> dict[str, Any]:
    advertised, approved = list(row["advertised_routes"]), list(row["approved_routes"])
    return {
        "machine_id": row["id"],
        "name": row["name"],
        "magicdns_name": row["magicdns_name"],
        "tailnet_ip": row["tailnet_ip"],
        "advertised": advertised,
        "approved": approved,
        "pending": [route for route in advertised if route not in approved],
        "exit_node_advertised": row["advertise_exit_node"],
        "exit_node_approved": row["exit_node_approved"],
        "primary": sorted(cidr for cidr, machine_id in carriers.items() if machine_id == row["id"]),
    }


def _find(rows: list[dict[str, Any]], machine: str) -> dict[str, Any]:
    wanted = machine.casefold()
    for row in rows:
        if wanted in (row["name"].casefold(), row["magicdns_name"], row["machine_id"], row["tailnet_ip"]):
            return row
    raise AgentError("NOT_FOUND", f"no machine {machine!r} in your network")


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    approved = [*row["approved"], *(f"{route} (pending)" for route in row["pending"])]
    exit_node = "-"
    if row["exit_node_advertised"]:
        exit_node = "approved" if row["exit_node_approved"] else "(pending)"
    advertised = ", ".join(row["advertised"]) or "-"
    return plain(row["name"]), row["tailnet_ip"] or "-", advertised, ", ".join(approved) or "-", exit_node
