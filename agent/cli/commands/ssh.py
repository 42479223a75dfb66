"""`ztna ssh [USER@]PEER [-- SSH_ARGS...]`."""

import os
import shlex
import shutil
import sys

import click

from agent.cli.context import Context
from agent.cli.output import plain
from agent.errors import AgentError


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("target", metavar="[USER@]PEER")
@click.argument("ssh_arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- SSH_ARGS...]")
@click.pass_obj
def command(context: Context, target: str, ssh_arguments: tuple[str, ...]) -> None:
    """Open a shell on PEER by the system's ssh, through the tunnel."""
    context.machine()
    user, _, name = target.rpartition("@")
    if user.startswith("-"):
        raise click.UsageError("a user name does not start with -")
    peer = context.find_peer(name)
    program = shutil.which("ssh")
    if program is None:
        raise AgentError("NO_SSH", "ssh not found in PATH")
    address = str(peer["tailnet_ip"])
    click.echo(f"Resolved {plain(peer['name'])} -> {address}", err=True)
    options = {
        "StrictHostKeyChecking": "accept-new",
        # An address is given to another machine one day; its host key must not follow.
        "HostKeyAlias": str(peer["id"]),
    }
    if (context.ask_if_running("status") or {}).get("mode") == "userspace":
        options["ProxyCommand"] = f"{shlex.quote(sys.executable)} -m agent nc %h %p"
    settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    destination = f"{user}@{address}" if user else address
    # Options of ssh come before the destination, a remote command after it: "--" ends neither.
    os.execv(program, [program, *settings, destination, *ssh_arguments])  # noqa: S606 - that is its purpose
