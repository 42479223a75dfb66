"""`ztna up`."""

import os
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from agent.cli import launch
from agent.cli.commands import set as set_command
from agent.cli.context import Context
from agent.cli.durations import DURATION
from agent.cli.flags import host_options, switch
from agent.cli.output import json_option, note, print_json
from agent.errors import EXIT_PENDING, AgentError
from agent.platform import current
from agent.settings import proxy_place
from agent.state import MachineState

if TYPE_CHECKING:
    from agent.io.control import ControlClient

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")
FIRST_MAP_SECONDS = 3.0
PENDING_TEXT = "waiting for an administrator's approval: Machines → Pending Approval in the console"


@click.command()
@click.option("--auth-key", help="Enrol without a person. Prefer ZTNA_AUTH_KEY: flags are visible to others.")
@click.option("--hostname", help="Name of this machine; the host's own by default.")
@click.option("--advertise-tags", default="", help="Tags to ask for: tag:prod,tag:k8s.")
@host_options
@switch("gateway", "Lead hosts of the LAN into the network too; needs --advertise-routes.")
@click.option("--dns/--no-dns", "accept_dns", default=None, help="MagicDNS on this host; on by default.")
@click.option("--dns-domain", help="A search domain before the network's own.")
@click.option("--reset", is_flag=True, help="Put every setting back to its default first.")
@click.option("--daemon", is_flag=True, help="Run in the background and log to ztna.log.")
@click.option("--userspace", is_flag=True, help="Without a TUN device of the host; the mode without root.")
@click.option("--proxy", metavar="ADDR:PORT", help="In that mode: a SOCKS5 and HTTP proxy on loopback.")
@click.option("--force-reauth", is_flag=True, help="Enrol again with new keys before connecting.")
@click.option("--org", help="Slug of the organization to join.")
@click.option("--wait", is_flag=False, flag_value="24h", type=DURATION, help="Stay until approved.")
@click.option("--api-url", help="Address of the control plane.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False), help="Trust this CA alone.")
@json_option
@click.pass_obj
def command(
    context: Context,
    /,
    auth_key: str | None,
    hostname: str | None,
    advertise_tags: str,
    daemon: bool,
    force_reauth: bool,
    org: str | None,
    wait: float | None,
    api_url: str | None,
    ca_file: str | None,
    reset: bool,
    userspace: bool,
    proxy: str | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Connect this machine to the network; enrol it first if need be."""
    choose_mode(context, userspace=userspace, proxy=proxy)
    if ca_file:
        context.settings = replace(context.settings, ca_file=ca_file)
    refuse_second(context)
    changes = wanted(context, given, reset=reset)
    platform = current(userspace=context.settings.userspace)
    platform.check_privileges()
    machine = None if force_reauth else context.store.machine()
    if machine is not None:
        note(f"Already registered: {machine.name} ({machine.tailnet_ip})")
    else:
        machine = enrol(
            context, key=auth_key, hostname=hostname, tags=tag_list(advertise_tags), org=org, api_url=api_url
        )
        note(f"Registered: {machine.name} ({machine.tailnet_ip})")
    if machine.status == "pending" and not approved(context, machine, wait):
        note(f"Registered, but {PENDING_TEXT}.")
        if as_json:
            print_json(_summary(machine, None, None, platform.mode))
        return EXIT_PENDING
    if changes:
        set_command.apply(context, changes)
    if daemon:
        pid = launch.background(context)
        note(f"Connected as {machine.name} ({machine.tailnet_ip}) [{platform.mode}]")
        note(f"PID {pid}, log {context.settings.log_file}")
        if as_json:
            print_json(_summary(machine, _first_map(context), pid, platform.mode))
        return 0

    def started() -> None:
        note(f"Connected as {machine.name} ({machine.tailnet_ip}) [{platform.mode}]. Ctrl-C disconnects.")
        if as_json:
            print_json(_summary(machine, None, None, platform.mode))

    launch.foreground(context, machine, platform, started)
    note("VPN stopped.")
    return 0


def choose_mode(context: Context, *, userspace: bool, proxy: str | None) -> None:
    """Userspace mode if it is wanted, or all there is without root."""
    settings = context.settings
    userspace = userspace or settings.userspace
    if not userspace and not _is_root():
        note("Not root: userspace mode. Programs of this host get in by 'ztna nc', 'ztna ssh' and the proxy.")
        userspace = True
    place = proxy_place(proxy) if proxy else settings.proxy
    if place is not None and not userspace:
        raise AgentError("INVALID_INPUT", "--proxy belongs to userspace mode; add --userspace")
    context.settings = replace(settings, userspace=userspace, proxy=place)


def _is_root() -> bool:
    return not hasattr(os, "geteuid") or os.geteuid() == 0


def wanted(context: Context, given: dict[str, Any], *, reset: bool) -> dict[str, Any]:
    """The settings to change: as given, over the defaults for `--reset`; AgentError for nonsense."""
    from agent import preferences

    changes = {name: value for name, value in given.items() if value is not None}
    changes = (preferences.defaults() if reset else {}) | changes
    return preferences.check(changes, gateway_routes=context.store.config().advertise_routes)


def enrol(
    context: Context,
    *,
    key: str | None,
    hostname: str | None,
    tags: list[str],
    org: str | None,
    api_url: str | None,
) -> MachineState:
    """Enrol with a key if there is one, else as the signed-in person."""
    from agent import enrol as enrolment

    key = auth_key(context, key)
    if hostname is not None and not _NAME.fullmatch(hostname):
        raise AgentError("INVALID_INPUT", "--hostname: use 1 to 100 letters, digits, hyphens and dots")
    config = context.store.config()
    config = replace(config, hostname=hostname or config.hostname)

    async def run(client: "ControlClient") -> MachineState:
        if key is not None:
            return await enrolment.by_key(context.store, client, config, auth_key=key, tags=tags)
        return await enrolment.by_person(context.store, client, config, org=org, tags=tags)

    machine = context.online(run, api_url=api_url)
    if refused := [f"tag:{tag}" for tag in tags if tag not in machine.tags]:
        note(f"Not given: {', '.join(refused)}. Ask an administrator, or who owns the tag.")
    return machine


def approved(context: Context, machine: MachineState, wait: float | None) -> bool:
    """Whether an administrator let the machine in; asks again until `wait` seconds are over."""
    from agent import enrol as enrolment

    if wait is not None:
        note(f"Registered; {PENDING_TEXT}. Waiting.")

    async def run(client: "ControlClient") -> bool:
        return await enrolment.await_approval(context.store, client, machine, wait or 0.0)

    return context.online(run)


def auth_key(context: Context, given: str | None) -> str | None:
    """ZTNA_AUTH_KEY, else the flag, with a warning that others can see it."""
    if given is not None:
        note("warning: --auth-key is visible in process listings and shell history; prefer ZTNA_AUTH_KEY")
        if context.settings.auth_key not in (None, given):
            note("note: ZTNA_AUTH_KEY differs from --auth-key and is the one that is used")
    return context.settings.auth_key or given


def refuse_second(context: Context) -> None:
    """AgentError naming the process when a daemon already runs for this profile."""
    status = context.ask_if_running("status")
    if status is not None:
        raise AgentError(
            "ALREADY_RUNNING", f"already running as PID {status['pid']} ({context.settings.pid_file})"
        )


def tag_list(text: str) -> list[str]:
    """Comma-separated tags without their prefix."""
    return [tag.strip().removeprefix("tag:") for tag in text.split(",") if tag.strip()]


def _first_map(context: Context) -> dict[str, Any] | None:
    """The status once the control plane has been heard, or what there is after a moment."""
    deadline = time.monotonic() + FIRST_MAP_SECONDS
    while True:
        status: dict[str, Any] | None = context.ask_if_running("status")
        if status is None or status["control_connected"] or time.monotonic() > deadline:
            return status
        time.sleep(0.05)


def _summary(
    machine: MachineState, status: dict[str, Any] | None, pid: int | None, mode: str
) -> dict[str, Any]:
    peers = status["peers"] if status else []
    pqc = status["pqc"] if status else {"active": False, "pairs_pq": 0}
    return {
        "connected": status is not None,
        "machine_id": machine.machine_id,
        "name": machine.name,
        "tailnet_ip": machine.tailnet_ip,
        "magicdns_name": machine.magicdns_name,
        "status": machine.status,
        "mode": mode,
        "derp_region": status["derp_region"] if status else None,
        "peers": {
            "total": len(peers),
            "direct": sum(peer["path"] == "direct" for peer in peers),
            "relay": sum(peer["path"] == "derp" for peer in peers),
        },
        "pqc": {"active": pqc["active"], "pairs": pqc["pairs_pq"]},
        "pid": pid,
    }
