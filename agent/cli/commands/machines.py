"""`ztna machines list`."""

from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.output import ago, json_option, plain, print_json, print_table, style
from agent.cli.tables import read_table
from agent.errors import AgentError
from agent.state import Config

if TYPE_CHECKING:
    from agent.session import Session

_COLUMNS = "id,name,tailnet_ip,os,status,last_seen,tags,version,posture_verdict"
_COLOURS = {"online": "green", "pending": "yellow", "quarantined": "red"}


@click.group("machines")
def command() -> None:
    """Machines of the organization."""


@command.command("list")
@click.option(
    "--filter", "filters", multiple=True, metavar="KEY=VALUE", help="status=, os=, tag=, name= or posture=."
)
@json_option
@click.pass_obj
def list_machines(context: Context, filters: tuple[str, ...], as_json: bool) -> None:
    """List every machine."""
    wanted = [_filter(text) for text in filters]

    async def read(session: "Session", config: Config) -> list[dict[str, Any]]:
        return await read_table(session, config, "machines", select=_COLUMNS, order="name.asc")

    rows = [row for row in context.as_person(read) if all(_matches(row, *each) for each in wanted)]
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("No machines registered." if not wanted else "No machine matches.")
        return
    print_table(("NAME", "TAILNET IP", "OS", "STATUS", "TAGS", "LAST SEEN"), [_row(row) for row in rows])
    online = sum(row["status"] == "online" for row in rows)
    click.echo(f"\n{len(rows)} total, {online} online, {len(rows) - online} offline")


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    status = style(plain(row["status"]), fg=_COLOURS.get(row["status"]))
    tags = ", ".join(f"tag:{plain(tag)}" for tag in row["tags"]) or "-"
    return (
        plain(row["name"]),
        row["tailnet_ip"] or "-",
        plain(row["os"]),
        status,
        tags,
        ago(row["last_seen"]),
    )


def _filter(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or key not in ("status", "os", "tag", "name", "posture"):
        raise AgentError("INVALID_INPUT", f"--filter {text!r}: use status=, os=, tag=, name= or posture=")
    return "posture_verdict" if key == "posture" else key, value.removeprefix("tag:")


def _matches(row: dict[str, Any], key: str, value: str) -> bool:
    if key == "tag":
        return value in row["tags"]
    return str(row[key]).casefold() == value.casefold()
