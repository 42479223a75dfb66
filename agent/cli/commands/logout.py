"""`ztna logout`."""

import click

from agent.cli.commands.down import stop_daemon
from agent.cli.context import Context
from agent.cli.output import json_option, note, print_json
from agent.errors import AgentError
from agent.io.control import ControlClient
from agent.session import Session


@click.command()
@json_option
@click.pass_obj
def command(context: Context, as_json: bool) -> None:
    """Sign out and forget this machine's enrolment; the organization is remembered."""
    org_id = context.store.config().org_id
    tokens, machine = context.store.tokens(), context.store.machine()
    stop_daemon(context)

    async def end(client: ControlClient) -> None:
        await Session(context.store, client).end()

    if tokens is not None and tokens.refresh_token:
        try:
            context.online(end)
        except AgentError as error:
            note(f"warning: the session was not ended at the control plane: {error.message}")
    context.store.forget()
    if as_json:
        print_json({"logged_out": True, "org_id": org_id})
    elif tokens is None and machine is None:
        click.echo("You were not signed in.")
    else:
        kept = f" Organization {org_id} is remembered." if org_id else ""
        click.echo(f"Logged out.{kept}")
