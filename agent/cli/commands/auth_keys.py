"""`ztna auth-keys list`, and what administrators do: create, revoke."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.durations import DURATION
from agent.cli.flags import FlagGroup, comma_list
from agent.cli.output import json_option, plain, print_json, print_table
from agent.cli.tables import read_table
from agent.errors import AgentError
from agent.state import Config

if TYPE_CHECKING:
    from agent.session import Session

_SHOWN = (
    *("id", "name", "key_prefix", "reusable", "ephemeral", "used_count"),
    *("tags", "expires_at", "revoked", "created_at"),
)


@click.group("auth-keys", cls=FlagGroup)
def command() -> None:
    """Keys that enrol machines without a person."""


@command.command("list")
@json_option
@click.pass_obj
def list_keys(context: Context, as_json: bool) -> None:
    """List keys, the oldest first."""
    rows = context.as_person(_keys)
    if as_json:
        print_json([{name: row[name] for name in _SHOWN} for row in rows])
    elif not rows:
        click.echo("No auth keys.")
    else:
        header = ("PREFIX", "NAME", "REUSABLE", "EPHEMERAL", "USES", "TAGS", "EXPIRES")
        print_table(header, [_row(row) for row in rows])


@command.command(hidden=True)
@click.option("--name", help="What it is for.")
@click.option("--description", help="More of that.")
@click.option("--reusable", is_flag=True, help="For more than one machine.")
@click.option("--ephemeral", is_flag=True, help="Its machines go when they disconnect.")
@click.option("--pre-approved", is_flag=True, help="Its machines need no approval.")
@click.option("--expiry", type=DURATION, default="1h", show_default=True, help="5m to 720h.")
@click.option("--tags", callback=comma_list, metavar="TAG,...", help="Tags of its machines.")
@json_option
@click.pass_obj
def create(context: Context, /, as_json: bool, expiry: float, **given: Any) -> None:
    """Make a key, which is shown this once."""
    wanted = {name: value for name, value in given.items() if value}

    async def make(session: "Session", config: Config) -> dict[str, Any]:
        return await _act(session, config, "create_auth_key", expires_in=int(expiry), **wanted)

    made = context.as_person(make)
    if as_json:
        print_json(made)
        return
    click.echo(made["key"])
    kinds = [name for name in ("reusable", "ephemeral", "pre_approved") if made[name]]
    text = ", ".join(kind.replace("_", "-") for kind in kinds) or "for one machine"
    click.echo(
        f"Key {plain(made['name'])}, {text}, until {made['expires_at']}. Tags: {_tags(made)}", err=True
    )
    click.echo("It cannot be shown again.", err=True)


@command.command(hidden=True)
@click.argument("key", metavar="PREFIX|ID")
@click.option("--keep-machines", is_flag=True, help="Leave the machines that it enrolled in the network.")
@json_option
@click.pass_obj
def revoke(context: Context, key: str, keep_machines: bool, as_json: bool) -> None:
    """End a key, and cut off the machines that it enrolled."""

    async def end(session: "Session", config: Config) -> dict[str, Any]:
        row = _one(await _keys(session, config), key)
        fields = {"key_id": row["id"], "quarantine_machines": not keep_machines}
        return await _act(session, config, "revoke_auth_key", **fields)

    answer = context.as_person(end)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"Revoked. Machines quarantined: {answer['machines_quarantined']}")


async def _keys(session: "Session", config: Config) -> list[dict[str, Any]]:
    return await read_table(session, config, "auth_keys", order="created_at.asc")


async def _act(session: "Session", config: Config, action: str, **fields: Any) -> dict[str, Any]:
    body = {"action": action, "org_id": config.org_id, **fields}
    found: dict[str, Any] = await session.call("POST", "/api/key-management", body)
    return found


def _one(rows: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    """The key of that id, or whose prefix begins so; AgentError lists several."""
    begin = wanted.casefold().removeprefix("tskey-auth-").rstrip(".")
    found = [row for row in rows if row["id"] == wanted.casefold()]
    found = found or [row for row in rows if begin and row["key_prefix"].startswith(begin)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise AgentError("NOT_FOUND", f"no auth key {wanted!r}")
    names = ", ".join(f"{row['key_prefix']} {row['id']} ({plain(row['name'])})" for row in found)
    raise AgentError("AMBIGUOUS", f"{wanted!r} may be any of: {names}")


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    reusable, ephemeral = ("yes" if row[name] else "no" for name in ("reusable", "ephemeral"))
    uses = str(row["used_count"])
    return row["key_prefix"], plain(row["name"]), reusable, ephemeral, uses, _tags(row), _end(row)


def _tags(row: dict[str, Any]) -> str:
    return ", ".join(f"tag:{plain(tag)}" for tag in row["tags"] or ()) or "-"


def _end(row: dict[str, Any]) -> str:
    """When it expires, or why it no longer serves."""
    left = datetime.fromisoformat(row["expires_at"]) - datetime.now(UTC)
    if row["revoked"]:
        return "revoked"
    if row["expired"] or left.total_seconds() <= 0:
        return "expired"
    if row["used_count"] and not row["reusable"]:
        return "used"
    hours = left.total_seconds() / 3600
    return (
        f"in {hours / 24:.0f} d" if hours >= 48 else f"in {hours:.0f} h" if hours >= 1 else "within an hour"
    )
