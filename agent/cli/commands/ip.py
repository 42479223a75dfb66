"""`ztna ip [NAME]`."""

import click

from agent.cli.context import Context
from agent.cli.output import json_option, print_json
from agent.errors import AgentError


@click.command()
@click.argument("name", required=False)
@click.option("-4", "only_v4", is_flag=True, help="IPv4 only; this is the default.")
@click.option("-6", "only_v6", is_flag=True, help="The IPv6 address.")
@json_option
@click.pass_obj
def command(context: Context, name: str | None, only_v4: bool, only_v6: bool, as_json: bool) -> None:
    """Print the tailnet address of this machine, or of peer NAME."""
    if only_v4 and only_v6:
        raise click.UsageError("-4 and -6 exclude each other")
    machine = context.machine()
    found = {"name": machine.name, "ipv4": machine.tailnet_ip, "ipv6": machine.tailnet_ipv6}
    if name is not None and name.casefold() not in (machine.name, machine.magicdns_name, machine.tailnet_ip):
        peer = context.find_peer(name)
        found = {"name": peer["name"], "ipv4": peer["tailnet_ip"], "ipv6": peer["tailnet_ipv6"]}
    if as_json:
        print_json(found)
        return
    address = found["ipv6"] if only_v6 else found["ipv4"]
    if address is None:
        raise AgentError("NOT_FOUND", f"{found['name']} has no such address")
    click.echo(address)
