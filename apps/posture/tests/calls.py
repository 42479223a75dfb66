"""Calls of the tests in this folder."""

from typing import Any

from apps.machines.models import Machine
from apps.machines.tests.agents import Agent

UNHEALTHY = {
    "os_version": "linux/amd64",
    "disk_encrypted": False,
    "firewall_enabled": False,
    "antivirus_enabled": False,
}
HEALTHY = {**UNHEALTHY, "disk_encrypted": True, "firewall_enabled": True, "antivirus_enabled": True}


def data(response: Any, status: int = 200) -> Any:
    """The data of an answer that must have this status."""
    assert response.status_code == status, response.content
    return response.json()["data"]


def add_policy(person: Any, org: Any, name: str = "Firewall", **values: Any) -> dict[str, Any]:
    """A policy made through the table; asks for a firewall unless told otherwise."""
    body = {"name": name, "org_id": str(org.pk), **(values or {"require_firewall": True})}
    response = person.client.call("/api/db/posture_policies", body)
    assert response.status_code == 201, response.content
    return response.json()["data"]


def patch(person: Any, org: Any, policy_id: Any, **values: Any) -> Any:
    """A change of a policy."""
    url = f"/api/db/posture_policies?org_id={org.pk}&id=eq.{policy_id}"
    return person.client.call(url, values, method="PATCH")


def set_mode(person: Any, org: Any, mode: str) -> Any:
    """The organisation's mode, as the console sets it."""
    body = {"action": "update_org_settings", "org_id": str(org.pk), "posture_enforcement": mode}
    return person.client.call("/api/org-management", body)


def report(agent: Agent, **values: Any) -> Any:
    """A report: unhealthy unless told otherwise."""
    return agent.client.call("/api/posture-report", {**UNHEALTHY, **values})


def rows(person: Any, org: Any, table: str, **query: Any) -> list[dict[str, Any]]:
    """What a table shows."""
    return data(person.client.get(f"/api/db/{table}", {"org_id": str(org.pk), **query}))


def status(cast: Any, agent: Agent) -> tuple[str, str | None]:
    """(status, reason of its quarantine) of a machine of Alice's organisation."""
    row = machine(agent, cast.org_a)
    return row.status, row.quarantine_reason


def machine(agent: Agent, org: Any) -> Machine:
    """The machine's row as it is now."""
    return Machine.objects.for_org(org).get(pk=agent.id)
