"""`ztna debug`."""

from typing import Any

import click

from agent.cli.context import Context
from agent.cli.output import (
    bytes_text,
    json_option,
    milliseconds,
    note,
    plain,
    print_json,
    print_table,
    style,
)


@click.group("debug")
def command() -> None:
    """Look inside the running daemon."""


def _dump(name: str, help_text: str, parts: tuple[str, ...]) -> None:
    @command.command(name, help=help_text)
    @json_option
    @click.pass_obj
    def run(context: Context, as_json: bool) -> None:
        found = context.ask("dump")
        found = {part: found[part] for part in parts}
        if as_json:
            print_json(found)
            return
        for thread in found.get("threads", ()):
            click.echo(style(f"thread {plain(thread['name'])} ({thread['id']})", bold=True))
            _print_stack(thread["stack"])
        for task in found.get("tasks", ()):
            head = f"task {plain(task['name'])} {task['state']}, awaits {plain(task['awaiting'])}"
            click.echo(style(head, bold=True))
            _print_stack(task["stack"])


_dump("goroutines", "Threads and tasks with their stacks.", ("threads", "tasks"))
_dump("threads", "Threads with their stacks.", ("threads",))
_dump("tasks", "Tasks with their stacks.", ("tasks",))


@command.command()
@json_option
@click.pass_obj
def derp(context: Context, as_json: bool) -> None:
    """Relays: where this machine is at home, and who is reached how."""
    context.machine()
    found = context.ask_if_running("derp") or _probed(context)
    if as_json:
        print_json(found)
        return
    state = style("connected", fg="green") if found["connected"] else style("not connected", fg="red")
    if found["connected"] and found["tls_group"]:
        state += f" (TLS 1.3, {plain(found['tls_group'])})"
    rows = [
        ("Home region", plain(found["home_region"] or "-")),
        ("Host", plain(found["host"] or "-")),
        ("STUN server", plain(found["stun_server"] or "-")),
        ("Link", state),
        ("Peers", f"{found['peers_direct']} direct, {found['peers_by_relay']} by relay"),
    ]
    for region, latency in sorted(found["latencies_ms"].items(), key=lambda item: item[1]):
        rows.append((f"Latency {plain(region)}", milliseconds(latency)))
    for name, value in rows:
        click.echo(f"  {name:<16} {value}")
    if found["peers"]:
        click.echo()
        table = [
            [plain(peer["name"]), peer["path"], plain(peer["endpoint"]), milliseconds(peer["latency_ms"])]
            for peer in found["peers"]
        ]
        print_table(("PEER", "PATH", "ENDPOINT", "LATENCY"), table)


def _probed(context: Context) -> dict[str, Any]:
    """The same from a look of our own, where no daemon holds a link."""
    from agent.cli.commands.netcheck import look

    note("VPN not running; this is a fresh probe.")
    report, regions, _ = look(context)
    home = next((each for each in regions if each.region_code == report["nearest_derp"]), None)
    answered = [each for each in report["regions"] if each["ok"]]
    return {
        "home_region": report["nearest_derp"],
        "host": home.hostname if home else None,
        "stun_server": f"{home.hostname}:{home.stun_port}" if home else None,
        "connected": False,
        "tls_group": (report["derp_tls"] or {}).get("group"),
        "latencies_ms": {each["code"]: each["stun_ms"] for each in answered},
        "peers_by_relay": 0,
        "peers_direct": 0,
        "peers": [],
    }


@command.command()
@click.argument("peer")
@click.option("--relay/--auto", "held", required=True, help="Stay on the relay, or choose the path again.")
@json_option
@click.pass_obj
def path(context: Context, peer: str, held: bool, as_json: bool) -> None:
    """Keep PEER on the relay until --auto or a restart, to see whether a direct path is at fault."""
    context.machine()
    found = context.ask("path", machine_id=context.find_peer(peer)["id"], held=held)
    if as_json:
        print_json(found)
        return
    click.echo(f"{plain(peer)} {'stays on the relay' if held else 'may go direct'}")


@command.command()
@json_option
@click.pass_obj
def metrics(context: Context, as_json: bool) -> None:
    """The daemon's own figures."""
    found: dict[str, Any] = context.ask("runtime")
    if as_json:
        print_json(found)
        return
    shown = {**found, "peak_memory_bytes": bytes_text(found["peak_memory_bytes"])}
    for name, value in shown.items():
        label = name.removesuffix("_bytes").replace("_", " ")
        text = "-" if value is None else ("no", "yes")[value] if isinstance(value, bool) else value
        click.echo(f"  {label:<16} {text}")


def _print_stack(stack: list[str]) -> None:
    for line in stack:
        click.echo(f"    {plain(line)}")
    if not stack:
        click.echo("    (no Python frame)")
