"""`ztna posture status`."""

from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.output import json_option, plain, print_json, style
from agent.errors import EXIT_FAILED

if TYPE_CHECKING:
    from agent.io.control import ControlClient
    from agent.posture.findings import Findings

_LINES = (
    ("Disk encryption", "disk_encrypted"),
    ("Firewall", "firewall_enabled"),
    ("Antivirus", "antivirus_enabled"),
    ("Screen lock", "screen_lock_timeout"),
    ("Automatic updates", "auto_update"),
    ("Last patch", "last_patch_date"),
    ("Security updates", "pending_security_updates"),
    ("Agent version", "agent_version"),
)
_VERDICT = (
    *("compliant", "violations", "violation_details", "remedies", "quarantined", "mode"),
    "grace_expires_at",
)
_GOOD, _BAD, _UNKNOWN = "✓", "✗", "?"


@click.group("posture")
def command() -> None:
    """Health of this machine, and what the organization asks of it."""


@command.command()
@click.option("--report", is_flag=True, help="Report now; without it nothing is sent.")
@click.option("--exit-code", is_flag=True, help="Exit 1 when the verdict is non-compliant.")
@json_option
@click.pass_obj
def status(context: Context, report: bool, exit_code: bool, as_json: bool) -> int:
    """Show what is read here, and the control plane's last verdict."""
    import asyncio

    from agent.posture.findings import collect
    from agent.posture.host import host_readings

    findings = asyncio.run(collect(host_readings(context.settings.directory)))
    verdict = _report(context, findings) if report else _last_verdict(context)
    print_json(_document(findings, verdict)) if as_json else _print(findings, verdict)
    return EXIT_FAILED if exit_code and verdict is not None and not verdict["compliant"] else 0


def _report(context: Context, findings: "Findings") -> dict[str, Any]:
    from agent.posture.reporting import VERDICT_FILE, send

    machine = context.machine()

    async def work(client: "ControlClient") -> dict[str, Any]:
        return await send(client, machine.node_key, findings)

    verdict = context.online(work)
    context.store.save_json(VERDICT_FILE, verdict)
    return verdict


def _last_verdict(context: Context) -> dict[str, Any] | None:
    """What the control plane said last; None while this machine is not connected to it."""
    from agent.posture.reporting import VERDICT_FILE

    daemon = context.ask_if_running("status")
    if daemon is None or not daemon["control_connected"]:
        return None
    return context.store.load_json(VERDICT_FILE)


def _document(findings: "Findings", verdict: dict[str, Any] | None) -> dict[str, Any]:
    values = findings.report()
    values["screen_lock"] = values["screen_lock_timeout"]
    document = {**values, "unknown": dict(findings.reasons)}
    if verdict is not None:
        document |= {name: verdict.get(name) for name in _VERDICT}
        document["policy"] = ", ".join(verdict.get("policies") or ()) or None
    return document


def _print(findings: "Findings", verdict: dict[str, Any] | None) -> None:
    values = findings.values
    detail = f" ({plain(values['os_version_detail'])})" if "os_version_detail" in values else ""
    _line("OS", f"{plain(values.get('os_version'))}{detail}")
    for label, signal in _LINES:
        _line(label, _shown(signal, findings))
    for name, value in sorted((values.get("custom_attributes") or {}).items()):
        _line("Attribute", f"{plain(name)} = {plain(value)}")
    click.echo()
    if verdict is None:
        _line("Compliance", "unknown: not connected. Run 'ztna up' to be judged")
        return
    state = style("COMPLIANT", fg="green") if verdict["compliant"] else style("NON-COMPLIANT", fg="red")
    _line("Compliance", f"{state} (mode {plain(verdict['mode'])})")
    for name in verdict.get("policies") or ():
        _line("Failed policy", plain(name))
    for entry in verdict.get("violation_details") or ():
        text = f"{entry['code']}: found {_value(entry['found'])}, asked for {_value(entry['allowed'])}"
        _line("Violation", plain(text))
    for remedy in dict.fromkeys((verdict.get("remedies") or {}).values()):
        _line("What to do", plain(remedy))
    if verdict.get("quarantined"):
        _line("Quarantined", style("yes, until a report is clean", fg="red"))
    elif verdict.get("grace_expires_at"):
        _line("Grace until", plain(verdict["grace_expires_at"]))


def _shown(signal: str, findings: "Findings") -> str:
    """A mark and the value; why, where it is unknown."""
    value = findings.values.get(signal)
    if value is None:
        return f"{style(_UNKNOWN, fg='yellow')} unknown: {plain(findings.reasons.get(signal, ''))}"
    if isinstance(value, bool):
        mark, text = (_GOOD, "enabled") if value else (_BAD, "disabled")
    elif signal == "screen_lock_timeout":
        mark, text = (_GOOD, f"after {value} s") if value else (_BAD, "never")
    elif signal == "pending_security_updates":
        mark, text = (_BAD, f"{value} pending") if value else (_GOOD, "none pending")
    else:
        return f"  {plain(value)}"
    if signal == "antivirus_enabled" and value:
        text += f" ({plain(findings.values.get('antivirus_name'))})"
    return f"{style(mark, fg='green' if mark == _GOOD else 'red')} {text}"


def _value(value: Any) -> str:
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _line(label: str, text: str) -> None:
    click.echo(f"{label:<18}{text}")
