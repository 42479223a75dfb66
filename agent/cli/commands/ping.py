"""`ztna ping TARGET`."""

import time
from typing import Any

import click

from agent.cli.context import Context
from agent.cli.durations import DURATION
from agent.cli.output import json_option, note, plain, print_json, style


@click.command()
@click.argument("target")
@click.option("--count", type=click.IntRange(1, 10_000), default=5, show_default=True, help="Probes.")
@click.option("--timeout", type=DURATION, default="3s", show_default=True, help="Wait for each answer.")
@click.option("--interval", type=DURATION, default="1s", show_default=True, help="Pause between probes.")
@json_option
@click.pass_obj
def command(context: Context, target: str, count: int, timeout: float, interval: float, as_json: bool) -> int:
    """Measure latency to TARGET (name or address) through the tunnel."""
    context.machine()
    context.ask("status")
    peer = context.find_peer(target)
    if not as_json:
        click.echo(f"PING {plain(peer['name'])} ({peer['tailnet_ip']})")
    probes: list[dict[str, Any]] = []
    try:
        for seq in range(1, count + 1):
            began = time.monotonic()
            probe = {"seq": seq, **context.ask("ping", machine_id=peer["id"], timeout_seconds=timeout)}
            probes.append(probe)
            if not as_json:
                click.echo(_line(probe))
            if seq < count:
                time.sleep(max(0.0, interval - (time.monotonic() - began)))
    finally:
        summary = _summary(target, str(peer["tailnet_ip"]), probes)
        print_json(summary) if as_json else _print_summary(summary)
    return 0 if summary["received"] else 1


def _line(probe: dict[str, Any]) -> str:
    if probe["ms"] is None:
        return f"  seq={probe['seq']}  {style(probe['error'], fg='red')}"
    path = style(probe["path"], fg="green" if probe["path"] == "direct" else "yellow")
    return f"  seq={probe['seq']}  time={probe['ms']:.2f} ms  {path}"


def _summary(target: str, address: str, probes: list[dict[str, Any]]) -> dict[str, Any]:
    times = [probe["ms"] for probe in probes if probe["ms"] is not None]
    sent, received = len(probes), len(times)
    return {
        "target": target,
        "ip": address,
        "sent": sent,
        "received": received,
        "loss_pct": round(100 * (sent - received) / sent, 1) if sent else 0.0,
        "min_ms": min(times, default=None),
        "avg_ms": round(sum(times) / received, 2) if times else None,
        "max_ms": max(times, default=None),
        "probes": probes,
    }


def _print_summary(summary: dict[str, Any]) -> None:
    score = f"\n{summary['received']}/{summary['sent']} probes succeeded"
    if summary["received"]:
        click.echo(f"{score}, {summary['loss_pct']:g} % loss")
        click.echo(f"min/avg/max {summary['min_ms']:.2f}/{summary['avg_ms']:.2f}/{summary['max_ms']:.2f} ms")
    elif summary["sent"]:
        click.echo(f"{score} — peer unreachable")
        note("It may be offline, or policy may forbid it: see 'ztna acl test'.")
