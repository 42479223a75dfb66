"""The `ztna` program: lazy commands, exit codes, errors without tracebacks."""

import os
import signal
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from agent.cli.context import Context
from agent.cli.flags import FlagGroup
from agent.cli.output import print_error
from agent.errors import EXIT_FAILED, EXIT_INTERRUPTED, AgentError
from agent.settings import LOG_LEVELS

# Name: (module, one line of help). Help must not import the commands.
COMMANDS = {
    "login": ("login", "Sign in to the control plane"),
    "logout": ("logout", "Sign out and forget this machine's enrolment"),
    "up": ("up", "Connect this machine to the network"),
    "down": ("down", "Disconnect and give the host back as it was"),
    "status": ("status", "Show the state of this machine and its network"),
    "peers": ("peers", "List peers and the paths to them"),
    "ip": ("ip", "Print a tailnet address"),
    "whois": ("whois", "Tell which machine has an address"),
    "ping": ("ping", "Measure latency through the tunnel"),
    "nc": ("nc", "Connect standard input and output to a peer"),
    "ssh": ("ssh", "Open a shell on a peer"),
    "dns": ("dns", "Resolve a name, show how names are resolved"),
    "set": ("set", "Change settings without a restart"),
    "route": ("route", "Show and approve networks behind machines"),
    "exit-node": ("exit_node", "Show machines that carry all traffic, and suggest one"),
    "split-tunnel": ("split_tunnel", "Show what avoids the tunnel"),
    "netcheck": ("netcheck", "Look at the network: UDP, NAT, relays"),
    "machines": ("machines", "List all machines of the organization"),
    "auth-keys": ("auth_keys", "List keys that enrol machines"),
    "acl": ("acl", "Show access rules, ask them, plan and apply a policy file"),
    "access": ("access", "Ask for access for a while, list requests, end a grant"),
    "posture": ("posture", "Show the health of this machine and what is asked of it"),
    "audit": ("audit", "List who did what"),
    "compliance": ("compliance", "Report where the organization stands"),
    "wg-config": ("wg_config", "Export the tunnel for other WireGuard tools"),
    "metrics": ("metrics", "Figures for Prometheus"),
    "debug": ("debug", "Look inside the running daemon"),
    "log": ("log", "Show the daemon's log"),
    "version": ("version", "Print the version"),
    "update": ("update", "Look for a newer version"),
}
ALIASES = {"connect": "up", "disconnect": "down", "auth-key": "auth-keys"}


class ReaderGone(Exception):
    """Standard output was closed (`| head`); click itself would make that a failure."""


class LazyGroup(FlagGroup):
    """Imports a command when it is used."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderGone from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a first session."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        entry = COMMANDS.get(ALIASES.get(cmd_name, cmd_name))
        if entry is None:
            return None
        command = import_module(f"agent.cli.commands.{entry[0]}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line each, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from agent.cli.commands.version import line

        click.echo(line())
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--log-level", type=click.Choice(LOG_LEVELS), help="How much the daemon logs.")
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
@click.pass_context
def cli(ctx: click.Context, log_level: str | None) -> None:
    """Join this machine to your private, post-quantum network.

    Start with 'ztna login', then 'ztna up'.
    """
    ctx.obj = Context(log_level)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run and exit: 0, 1, 3 (waiting for approval) or 130 (interrupted)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments or "--json=true" in arguments
    try:
        result: Any = cli.main(arguments, prog_name="ztna", standalone_mode=False)
        sys.stdout.flush()
        status = result if isinstance(result, int) else 0
    except AgentError as error:
        print_error(error.code, error.message, as_json)
        status = error.exit_code
    except click.exceptions.Abort:
        click.echo(err=True)
        status = EXIT_INTERRUPTED
    except click.ClickException as error:
        print_error("INVALID_INPUT", error.format_message(), as_json)
        status = EXIT_FAILED
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    except (ReaderGone, BrokenPipeError):
        status = 0
    except Exception as error:
        import logging

        logging.getLogger("agent.cli").debug("failed", exc_info=True)
        if isinstance(error, OSError):
            print_error("SYSTEM_ERROR", str(error), as_json)
        else:
            text = f"unexpected failure ({type(error).__name__}); see 'ztna log'"
            print_error("INTERNAL_ERROR", text, as_json)
        status = EXIT_FAILED
    _leave(status)


def _leave(status: int) -> NoReturn:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader is gone (`| head`); Python's own flush at exit would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(status)
