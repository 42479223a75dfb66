"""`ztna split-tunnel list`."""

import click

from agent.cli.context import Context
from agent.cli.flags import FlagGroup
from agent.cli.output import json_option, plain, print_json, print_table


@click.group("split-tunnel", cls=FlagGroup)
def command() -> None:
    """What avoids the tunnel."""


@command.command("list")
@json_option
@click.pass_obj
def list_networks(context: Context, as_json: bool) -> None:
    """List networks that avoid the tunnel."""
    context.machine()
    rows = context.ask("status")["bypass"]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("CIDR", "REASON", "SOURCE"), [(row["cidr"], plain(row["reason"]), row["source"]) for row in rows]
    )
