"""`ztna access`: access for a while, asked for here and decided by somebody else."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.durations import DURATION
from agent.cli.output import ago, json_option, note, plain, print_json, print_table, style
from agent.cli.plantext import flow_text
from agent.cli.tables import machine_names
from agent.errors import EXIT_PENDING, AgentError
from agent.state import Config

if TYPE_CHECKING:
    from agent.session import Session

HOUR = 3600
LONGEST_HOURS = 24
STATES = ("pending", "approved", "denied", "revoked", "expired")
_COLOURS = {"pending": "yellow", "approved": "green", "denied": "red", "revoked": "red"}
_PAGE = 200
_POLL_SECONDS = 2.0


@click.group("access")
def command() -> None:
    """Access for a while: ask for it, see what became of it, end it."""


@command.command()
@click.argument("destination")
@click.option("--ports", default="*", show_default=True, help="Ports such as 22, 80,443 or 8000-8010.")
@click.option("--proto", type=click.Choice(["tcp", "udp", "icmp", "*"]), default="tcp", show_default=True)
@click.option("--for", "duration", type=DURATION, default="1h", show_default=True, help="1h to 24h.")
@click.option("--reason", help="Why, for those who decide.")
@click.option("--source", metavar="WHO", help="Another machine, tag or person instead of this machine.")
@click.option("--wait", is_flag=True, help="Wait until it is decided; exit 1 when it is denied.")
@click.option("--timeout", type=DURATION, default="1h", show_default=True, help="How long to wait.")
@json_option
@click.pass_obj
def request(
    context: Context, /, destination: str, source: str | None, wait: bool, as_json: bool, **asked: Any
) -> None:
    """Ask to reach DESTINATION: a machine by name or id, or a selector such as tag:db.

    Administrators are told. Exits 3 when --wait ends before they decide.
    """
    if not HOUR <= asked["duration"] <= LONGEST_HOURS * HOUR:
        raise AgentError("INVALID_INPUT", f"--for: from 1h to {LONGEST_HOURS}h")
    wanted = {
        "source_selector": source or context.machine().machine_id,
        "destination_selector": destination,
        "ports": asked["ports"],
        "protocol": asked["proto"],
        "duration_hours": asked["duration"] / HOUR,
        **({"reason": asked["reason"]} if asked["reason"] else {}),
    }

    async def ask(session: "Session", config: Config) -> dict[str, Any]:
        return await _act(session, config, "jit_request", **wanted)

    filed = context.as_person(ask)
    if not wait:
        print_json(filed) if as_json else _print_filed(filed)
        return
    if not as_json:
        _print_filed(filed)
    grant = _decided(context, filed["grant_id"], asked["timeout"])
    if as_json:
        print_json(grant)
    elif grant["status"] == "approved":
        click.echo(f"{style('Approved', fg='green', bold=True)} until {plain(grant['expires_at'])}.")
    if grant["status"] != "approved":
        because = f": {plain(grant['denial_reason'])}" if grant["denial_reason"] else ""
        raise AgentError(grant["status"].upper(), f"the request was {grant['status']}{because}")


@command.command("list")
@click.option("--status", type=click.Choice(STATES), help="Only these.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
@click.pass_obj
def list_grants(context: Context, status: str | None, limit: int, as_json: bool) -> None:
    """List requests, newest first: one's own, or all for administrators."""

    async def read(session: "Session", config: Config) -> list[dict[str, Any]]:
        names = await machine_names(session, config)
        found: list[dict[str, Any]] = []
        cursor = None
        while len(found) < limit:
            fields = {"limit": min(_PAGE, limit), "cursor": cursor}
            page = await _act(session, config, "get_request_history", **fields)
            found += [_named(row, names) for row in page["requests"] if status in (None, row["status"])]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return found[:limit]

    grants = context.as_person(read)
    if as_json:
        print_json(grants)
    elif not grants:
        click.echo("No requests." if status is None else f"No request is {status}.")
    else:
        print_table(("ID", "STATUS", "WHO", "ACCESS", "HOURS", "ASKED"), [_row(grant) for grant in grants])


@command.command()
@click.argument("grant_id", metavar="ID", type=click.UUID)
@json_option
@click.pass_obj
def revoke(context: Context, grant_id: uuid.UUID, as_json: bool) -> None:
    """End access that was granted, at once: one's own, or any for administrators."""

    async def end(session: "Session", config: Config) -> dict[str, Any]:
        return await _act(session, config, "jit_revoke", grant_id=str(grant_id))

    found = context.as_person(end)
    print_json(found) if as_json else click.echo("Revoked.")


def _decided(context: Context, grant_id: str, timeout_seconds: float) -> dict[str, Any]:
    """The grant once it is pending no more; AgentError with EXIT_PENDING when that takes too long."""

    async def wait(session: "Session", config: Config) -> dict[str, Any]:
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while True:
            grant = await _grant(session, config, grant_id)
            if grant["status"] != "pending":
                return grant
            if asyncio.get_running_loop().time() > deadline:
                text = f"not decided yet; see 'ztna access list' for {grant_id}"
                raise AgentError("PENDING", text, exit_code=EXIT_PENDING)
            await asyncio.sleep(_POLL_SECONDS)

    return context.as_person(wait)


async def _grant(session: "Session", config: Config, grant_id: str) -> dict[str, Any]:
    cursor = None
    while True:
        page = await _act(session, config, "jit_list", limit=_PAGE, cursor=cursor)
        for grant in page["grants"]:
            if grant["id"] == grant_id:
                return dict(grant)
        cursor = page["next_cursor"]
        if cursor is None:
            raise AgentError("NOT_FOUND", "the request is gone")


async def _act(session: "Session", config: Config, action: str, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = await session.call(
        "POST", "/api/governance", {"action": action, "org_id": config.org_id, **fields}
    )
    return found


def _named(grant: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """With the ends under their names beside the selectors."""
    from agent.cli.policyfile import named

    ends = {"source": grant["source_selector"], "destination": grant["destination_selector"]}
    return {**grant, **named([ends], names)[0]}


def _print_filed(filed: Mapping[str, Any]) -> None:
    click.echo(f"Requested for {filed['duration_hours']:g} h: {filed['grant_id']}")
    told = filed["approvers_notified"]
    note(f"Told: {plain(', '.join(told))}" if told else "There is nobody else who could approve it.")


def _row(grant: Mapping[str, Any]) -> tuple[str, ...]:
    status = style(grant["status"], fg=_COLOURS.get(grant["status"]))
    who, hours = plain(grant["requester_email"] or "-"), f"{grant['requested_duration_hours']:g}"
    return grant["id"], status, who, flow_text(grant), hours, ago(grant["requested_at"])
