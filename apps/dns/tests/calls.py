"""Calls of the tests in this folder."""

from typing import Any

from apps.audit.models import AuditLog
from apps.machines.tests.agents import Agent
from wire.netmap import Netmap


def dns(person: Any, org: Any, action: str, **values: Any) -> Any:
    """A dns-management call."""
    body = {"action": action, "org_id": str(org.pk), **values}
    return person.client.call("/api/dns-management", body)


def data(response: Any, status: int = 200) -> Any:
    """The data of an answer that must have this status."""
    assert response.status_code == status, response.content
    return response.json()["data"]


def map_of(agent: Agent) -> Netmap:
    """What the machine is told now."""
    return Netmap.from_json(data(agent.heartbeat()))


def last_audit(org: Any) -> tuple[str, dict[str, Any]]:
    """(action, details) of the newest row of the trail."""
    row = AuditLog.objects.for_org(org).latest("seq")
    return row.action, row.details
