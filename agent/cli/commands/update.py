"""`ztna update`: looks for a newer version; installing it is the package manager's."""

from typing import TYPE_CHECKING, Any

import click

from agent import __version__
from agent.cli.context import Context
from agent.cli.output import json_option, plain, print_json
from agent.errors import AgentError
from agent.settings import machine_arch, platform_name

if TYPE_CHECKING:
    from agent.io.control import ControlClient

_SHOWN = (
    *("current_version", "latest_version", "update_available", "download_url"),
    *("checksum_sha256", "release_notes", "published_at"),
)


@click.command()
@click.option("--check", is_flag=True, help="Look only.")
@json_option
@click.pass_obj
def command(context: Context, check: bool, as_json: bool) -> None:
    """Tell whether there is a newer version."""

    async def ask(client: "ControlClient") -> Any:
        body = {
            "action": "check",
            "current_version": __version__,
            "platform": platform_name(),
            "arch": machine_arch(),
        }
        return await client.call("POST", "/api/client-version", body)

    answer = context.online(ask)
    found = {name: answer.get(name) for name in _SHOWN}
    if found["update_available"] and not check:
        raise AgentError(
            "PACKAGE_MANAGED",
            f"version {plain(found['latest_version'])} is there; install it by what installed this one",
        )
    print_json(found) if as_json else _print(found)


def _print(found: dict[str, Any]) -> None:
    click.echo(f"Current version: {plain(found['current_version'])}")
    click.echo(f"Latest version:  {plain(found['latest_version'])}")
    if not found["update_available"]:
        click.echo("You are up to date.")
        return
    for line in (found["release_notes"] or "").splitlines():
        click.echo(f"  {plain(line)}")
    click.echo(plain(found["download_url"]))
