"""`ztna compliance report`: where the organization stands."""

from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.output import json_option, print_json, style
from agent.state import Config

if TYPE_CHECKING:
    from agent.session import Session


@click.group("compliance")
def command() -> None:
    """Where the organization stands, for those who must account for it."""


@command.command()
@json_option
@click.pass_obj
def report(context: Context, as_json: bool) -> None:
    """Print a snapshot: machines, posture, access rules, certificates, threats."""
    document = _snapshot(context.as_person(_fetch))
    if as_json:
        print_json(document)
        return
    click.echo(f"Compliance of {document['org_id']} at {document['generated_at']}\n")
    for title, text in _lines(document):
        click.echo(f"  {style(f'{title:<14}', dim=True)}{text}")


async def _fetch(session: "Session", config: Config) -> dict[str, Any]:
    asked = {"action": "compliance_report", "org_id": config.org_id, "days": 7}
    found: dict[str, Any] = await session.call("POST", "/api/export", asked)
    return found


def _snapshot(found: dict[str, Any]) -> dict[str, Any]:
    summary = found["summary"]
    posture, certificates, threats = (summary[name] for name in ("posture", "certificates", "threats"))
    return {
        "machines": summary["machines"],
        "posture": {
            "compliant": posture["compliant"],
            "non_compliant": posture["total"] - posture["compliant"],
            "rate": posture["compliance_rate"],
        },
        "acl": {"rules": summary["acl_rules"], "deny_default": summary["default_deny"]},
        "certs": {"active": certificates["active"], "expiring_30d": certificates["expiring_30d"]},
        "threats": {"detected_7d": threats["total"], "blocked_7d": threats["blocked"]},
        "generated_at": found["generated_at"],
        "org_id": found["org_id"],
    }


def _lines(document: dict[str, Any]) -> list[tuple[str, str]]:
    machines, posture, acl = document["machines"], document["posture"], document["acl"]
    certs, threats = document["certs"], document["threats"]
    rate = "nothing reported" if posture["rate"] is None else f"{posture['rate']:g} % compliant"
    default = "denied" if acl["deny_default"] else style("allowed", fg="yellow")
    quarantined = f"{machines['quarantined']} quarantined"
    quarantined = style(quarantined, fg="red") if machines["quarantined"] else quarantined
    return [
        ("Machines", f"{machines['total']} ({machines['online']} online, {quarantined})"),
        ("Posture", f"{rate} ({posture['compliant']} yes, {posture['non_compliant']} no)"),
        ("Access rules", f"{acl['rules']} in force; what no rule names is {default}"),
        ("Certificates", f"{certs['active']} active, {certs['expiring_30d']} expire within 30 days"),
        ("Threats", f"{threats['detected_7d']} found in 7 days, {threats['blocked_7d']} blocked"),
    ]
