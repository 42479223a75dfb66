"""`ztna set`."""

from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.flags import comma_list, host_options, switch
from agent.cli.output import json_option, plain, print_json
from agent.errors import AgentError

if TYPE_CHECKING:
    from agent.io.control import ControlClient


@click.command("set")
@click.option("--hostname", help="Name of this machine.")
@host_options
@switch("accept-dns", "Use MagicDNS on this host.")
@click.option("--bypass", callback=comma_list, metavar="CIDR,...", help="Networks that avoid an exit node.")
@click.option(
    "--tags", "--advertise-tags", callback=comma_list, metavar="TAG,...", help="Tags of the machine."
)
@json_option
@click.pass_obj
def command(context: Context, /, as_json: bool, **given: Any) -> None:
    """Change settings of this machine without a restart.

    The control plane is asked first; if it refuses, nothing changes.
    """
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise AgentError("INVALID_INPUT", "no settings changed")
    if "tags" in changes:
        changes["tags"] = [tag.removeprefix("tag:") for tag in changes["tags"]]
    settings = apply(context, changes)
    if as_json:
        print_json({"changed": changes, "settings": settings})
        return
    for name, value in changes.items():
        click.echo(f"{name.replace('_', '-')}: {_text(value)}")
    click.echo("Settings saved.")


def apply(context: Context, changes: dict[str, Any]) -> dict[str, Any]:
    """Change settings through the daemon, or without one; all of them as they are now."""
    from agent import preferences

    machine = context.machine()
    checked = preferences.check(changes, gateway_routes=context.store.config().advertise_routes)
    settings: dict[str, Any] | None = context.ask_if_running("set", changes=checked, timeout_seconds=10)
    if settings is not None:
        return settings

    async def tell(client: "ControlClient") -> dict[str, Any]:
        config = await preferences.change(context.store, client, machine, checked)
        return preferences.values(config)

    return context.online(tell)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple | list):
        return plain(", ".join(value)) or "none"
    return plain(value)
