"""`ztna down`."""

import os
import time

import click

from agent.cli.context import Context
from agent.cli.output import json_option, note, print_json
from agent.errors import AgentError
from agent.state import Store

STOP_SECONDS = 8.0


@click.command()
@click.option("--accept-risk", help="Confirm a dangerous effect: lose-ssh.")
@json_option
@click.pass_obj
def command(context: Context, accept_risk: str | None, as_json: bool) -> None:
    """Disconnect and give the host back as it was."""
    if accept_risk not in (None, "lose-ssh"):
        raise click.UsageError("--accept-risk knows: lose-ssh")
    if accept_risk is None and _ssh_through_tunnel():
        raise AgentError(
            "RISK",
            "this shell came in over the tunnel and would be cut off; confirm with --accept-risk lose-ssh",
        )
    result = stop_daemon(context)
    cleaned = False if result else clean_up(context.store)
    if as_json:
        print_json(result or {"stopped": False, "pid": None, "offline_heartbeat": False})
    elif result:
        if not result["offline_heartbeat"]:
            note("warning: the control plane was not reached; it will notice within three minutes")
        click.echo(f"Stopped VPN daemon (PID {result['pid']})\nVPN stopped.")
    else:
        click.echo("VPN not running" + ("; removed what a killed daemon had left" if cleaned else ""))


def stop_daemon(context: Context) -> dict[str, object] | None:
    """Ask the daemon to end and wait for it; None when there was none."""
    try:
        result: dict[str, object] = context.ask("stop")
    except AgentError as error:
        if error.code == "NOT_RUNNING":
            return None
        raise
    deadline = time.monotonic() + STOP_SECONDS
    while _alive(int(str(result["pid"]))):
        if time.monotonic() > deadline:
            raise AgentError("TIMEOUT", f"the daemon (PID {result['pid']}) does not end; see 'ztna log'")
        time.sleep(0.02)
    return result


def clean_up(store: Store) -> bool:
    """Undo what a killed daemon left on this host; True if there was something."""
    from agent.io.journal import FILE, Journal

    if not (store.directory / FILE).exists():
        return False
    from agent.host.undo import undo

    Journal(store, undo).replay()
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A child that nobody has waited for yet is gone all the same.
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _ssh_through_tunnel() -> bool:
    import ipaddress

    from wire.numbers import TAILNET_CIDR

    client = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    try:
        return ipaddress.ip_address(client) in ipaddress.ip_network(TAILNET_CIDR)
    except ValueError:
        return False
