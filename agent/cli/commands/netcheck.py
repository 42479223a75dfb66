"""`ztna netcheck`."""

from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.output import json_option, milliseconds, note, plain, print_json, style
from agent.errors import EXIT_FAILED, AgentError

if TYPE_CHECKING:
    from agent.io.control import ControlClient
    from wire.netmap import RelayRegion


@click.command()
@json_option
@click.pass_obj
def command(context: Context, as_json: bool) -> int:
    """Look at the network: UDP, NAT, relays. Works without login and without the daemon."""
    report, regions, connected = look(context)
    print_json(report) if as_json else _print(report, regions)
    return 0 if connected else EXIT_FAILED


def look(context: Context) -> "tuple[dict[str, Any], list[RelayRegion], bool]":
    """(what was found, the regions, whether this host has any network)."""
    import asyncio

    from agent.diagnostics.netcheck import document, survey
    from agent.platform import MARK, current

    regions, reached = _regions(context)
    addresses = current().local_addresses(excluding=context.settings.interface)
    found = asyncio.run(survey(regions, addresses=addresses, ca_file=context.settings.ca_file, mark=MARK))
    found.captive_portal = reached == "another"
    report = document(found, regions)
    answered = report["udp"] or reached or (report["derp_tls"] or {}).get("ok")
    return report, regions, bool(addresses and answered)


def _regions(context: Context) -> "tuple[list[RelayRegion], str | None]":
    """Relay regions and who answered for the control plane: itself, "another", or None for nobody."""
    from wire.binary import WireError
    from wire.documents import build
    from wire.netmap import RelayRegion

    async def fetch(client: "ControlClient") -> Any:
        machine = context.store.machine()
        return await client.call("GET", "/api/derp-map", token=machine.node_key if machine else None)

    reached: str | None = None
    document: Any = None
    try:
        document, reached = context.online(fetch), "itself"
    except AgentError as error:
        if error.code not in ("UNREACHABLE", "INVALID_INPUT"):
            reached = "another" if error.code == "BAD_ANSWER" else "itself"
        note(f"no relay map from the control plane: {error.message}")
        document = context.store.load_json("netmap.json") or {}
    entries = document.get("regions") or document.get("relays") or []
    try:
        return [build(RelayRegion, entry) for entry in entries], reached
    except WireError:
        return [], reached


def _print(report: dict[str, Any], regions: "list[RelayRegion]") -> None:
    names = {region.region_code: region.region_name for region in regions}
    servers = {region.region_code: f"{region.hostname}:{region.stun_port}" for region in regions}
    nearest = report["nearest_derp"]
    tls = report["derp_tls"]
    outside = f"{report['public_ip']}:{report['public_port']}" if report["public_ip"] else "-"
    rows = [
        ("UDP", _yes(report["udp"])),
        ("IPv4", report["ipv4"] or "no"),
        ("IPv6", report["ipv6"] or "no"),
        ("Outside address", outside),
        ("NAT", report["nat_type"]),
        ("Hairpinning", _yes(report["hairpinning"])),
        ("Port mapping", ", ".join(report["portmap"]) or "none found"),
        ("MTU", str(report["mtu"] or "-")),
        ("Nearest DERP", f"{plain(nearest)} ({plain(names[nearest])})" if nearest else "-"),
        ("STUN", f"{report['stun_status']} ({plain(servers[nearest])})" if nearest else "failed"),
        ("Relay TLS", _tls(tls)),
    ]
    for name, value in rows:
        click.echo(f"  {name:<16} {value}")
    if report["regions"]:
        click.echo("\n  Regions")
        for region in sorted(report["regions"], key=lambda each: each["stun_ms"] or 1e9):
            time = milliseconds(region["stun_ms"]) if region["ok"] else style("no answer", fg="yellow")
            click.echo(f"    {plain(region['code']):<8} {time:<12} {plain(region['name'])}")
    click.echo(f"\n{report['verdict']}")


def _yes(value: bool | None) -> str:
    return "unknown" if value is None else style("true", fg="green") if value else style("false", fg="yellow")


def _tls(tls: dict[str, Any] | None) -> str:
    if tls is None:
        return "-"
    if not tls["ok"]:
        return style(f"failed ({plain(tls['error'])})", fg="red")
    group = tls["group"] or "key exchange not told by this Python"
    return f"{tls['version']}, {group}, {milliseconds(tls['ms'])}"
