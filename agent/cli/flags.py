"""Flags and lists in the spellings that users know."""

from collections.abc import Callable
from typing import Any

import click

_Command = Callable[..., Any]


class FlagGroup(click.Group):
    """Flags of its commands may be spelled --x=true and --x=false as well as --x and --no-x."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command, and its arguments in the plain spelling."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command, _plain_flags(command, rest) if command else rest


def switch(name: str, help_text: str) -> Callable[[_Command], _Command]:
    """A flag that is on, off, or not given (None)."""
    return click.option(f"--{name}/--no-{name}", default=None, help=help_text)


def comma_list(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Callback: comma separated, spaces trimmed, "" for none, None when not given."""
    if value is None:
        return None
    return tuple(item.strip() for item in value.split(",") if item.strip())


def host_options(command: _Command) -> _Command:
    """What this host does, as `up` and `set` have it."""
    routes = "Networks to offer: 10.1.0.0/16,fd00::/48; an empty text withdraws all."
    options = (
        switch("shields-up", "Refuse everything inbound."),
        switch("accept-routes", "Use the networks behind other machines."),
        click.option("--advertise-routes", callback=comma_list, metavar="CIDR,...", help=routes),
        switch("advertise-exit-node", "Offer to carry all traffic of others."),
        click.option("--exit-node", metavar="NAME|auto|off", help="Send all traffic through this machine."),
        switch("exit-node-allow-lan-access", "Keep the local network reachable meanwhile."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _plain_flags(command: click.Command, arguments: list[str]) -> list[str]:
    """--x=true as --x; --x=false as --no-x, or left out where off is all that a flag can be."""
    flags = {
        spelling: parameter
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.is_flag
        for spelling in parameter.opts
    }
    plain = []
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or name not in flags or value not in ("true", "false"):
            plain.append(argument)
        elif value == "true":
            plain.append(name)
        else:
            plain += flags[name].secondary_opts[:1]
    return plain
