"""`ztna dns query` and `ztna dns status`."""

from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.flags import FlagGroup
from agent.cli.output import json_option, plain, print_json, style
from agent.errors import AgentError

if TYPE_CHECKING:
    from agent.io.control import ControlClient

_TYPES = ("A", "AAAA", "PTR", "TXT")


@click.group("dns", cls=FlagGroup)
def command() -> None:
    """Names of the network."""


@command.command()
@click.argument("name")
@click.option("--type", "kind", type=click.Choice(_TYPES, case_sensitive=False), default="A")
@json_option
@click.pass_obj
def query(context: Context, name: str, kind: str, as_json: bool) -> int:
    """Resolve NAME: as given, then with the search domain."""
    found = context.ask_if_running("resolve", name=name, type=kind, timeout_seconds=10)
    if found is None:
        found = _by_control_plane(context, name, kind)
    if as_json:
        print_json(found)
    elif found["addresses"]:
        for address in found["addresses"]:
            click.echo(f"{plain(found['fqdn'])} -> {plain(address)}")
    else:
        reasons = {"blocked": "blocked by DNS filter", "unreachable": "no resolver answers"}
        click.echo(f"{plain(name)} -> ({reasons.get(found['source'], 'not found')})")
    return 0 if found["addresses"] else 1


@command.command()
@json_option
@click.pass_obj
def status(context: Context, as_json: bool) -> None:
    """Show how names are resolved on this host."""
    if context.store.machine() is None:
        raise AgentError("NOT_REGISTERED", "not configured. Run 'ztna login', then 'ztna up'")
    state = context.ask("dns")
    if as_json:
        print_json(state)
        return
    installed = state["installed"]
    text = style("enabled", fg="green") if installed else style("disabled", dim=True)
    upstreams = ", ".join(state["upstreams"]) or "-"
    rows = [("MagicDNS", text), ("Search domain", ", ".join(state["search_domains"]) or "-")]
    rows += [
        ("Pattern", state["pattern"] or "-"),
        ("Resolver", state["address"] or "-"),
        ("Upstream", upstreams),
    ]
    rows += [("Installed by", installed or "-")]
    rows += [(f"Split {domain}", ", ".join(servers)) for domain, servers in state["split"].items()]
    rows += [("Filter", state["filter_version"] or "none")]
    if state["counters"]:
        counters = ", ".join(f"{value} {name}" for name, value in state["counters"].items())
        rows.append(("Counters", counters))
    if state["problem"]:
        rows.append(("Problem", style(plain(state["problem"]), fg="yellow")))
    for label, value in rows:
        click.echo(f"  {style(f'{label:<14}', dim=True)}{value}")


def _by_control_plane(context: Context, name: str, kind: str) -> dict[str, Any]:
    """What the control plane knows: it answers while the tunnel is down."""
    machine = context.machine()
    if kind not in ("A", "AAAA"):
        raise AgentError("NOT_RUNNING", f"{kind} needs the daemon. Start it with 'ztna up'")

    async def ask(client: "ControlClient") -> Any:
        body = {"action": "resolve", "org_id": machine.org_id, "hostname": name, "type": kind}
        return await client.call("POST", "/api/dns-management", body, token=machine.node_key)

    answer = context.online(ask)
    return {
        "name": name,
        "fqdn": answer["fqdn"],
        "type": kind,
        "addresses": answer["addresses"],
        "source": answer["source"],
        "ttl": None,
    }
