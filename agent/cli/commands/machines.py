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
    if ("posture_verdict", "non_compliant") in wanted:
        reports = context.as_person(_reports)
        print_table(("NAME", "TAILNET IP", "VIOLATIONS", "GRACE"), [_failing(row, reports) for row in rows])
        return
    print_table(("NAME", "TAILNET IP", "OS", "STATUS", "TAGS", "LAST SEEN"), [_row(row) for row in rows])
    online = sum(row["status"] == "online" for row in rows)
    click.echo(f"\n{len(rows)} total, {online} online, {len(rows) - online} offline")


async def _reports(session: "Session", config: Config) -> dict[str, dict[str, Any]]:
    columns = "machine_id,violations,grace_ends_at"
    rows = await read_table(session, config, "posture_reports", select=columns, order="machine_id.asc")
    return {row["machine_id"]: row for row in rows}


def _failing(row: dict[str, Any], reports: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """What a machine lacks, and until when it may."""
    report = reports.get(row["id"], {})
    violations = plain(", ".join(report.get("violations") or ())) or "-"
    return plain(row["name"]), row["tailnet_ip"] or "-", violations, report.get("grace_ends_at") or "-"


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
