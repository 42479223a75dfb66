"""Calls and people of the tests in this folder."""

from typing import Any

from apps.audit.models import AuditLog
from apps.policy.models import AclRule


def rows(person: Any, org: Any, table: str, body: Any = None, *, method: str = "GET", **filters: Any) -> Any:
    """A call of a table."""
    query = "&".join(f"{name}={value}" for name, value in {"org_id": org.pk, **filters}.items())
    return person.client.call(f"/api/db/{table}?{query}", body, method=method)


def rule(person: Any, org: Any, status: int = 201, **values: Any) -> Any:
    """Insert a rule; its row."""
    body = {"name": "rule", "source": "*", "destination": "*", **values}
    return data(rows(person, org, "acl_rules", body, method="POST"), status)


def evaluate(person: Any, org: Any, source: Any, destination: Any, **values: Any) -> Any:
    """What acl-evaluate says of two machines."""
    body = {
        "org_id": str(org.pk),
        "source_machine_id": str(source.id),
        "destination_machine_id": str(destination.id),
        **values,
    }
    return data(person.client.call("/api/acl-evaluate", body))


def act(person: Any, org: Any, topic: str, action: str, status: int = 200, **values: Any) -> Any:
    """An action; its data, or its error where another status is expected."""
    response = person.client.call(f"/api/{topic}", {"action": action, "org_id": str(org.pk), **values})
    assert response.status_code == status, response.content
    body = response.json()
    return body["data"] if status < 400 else body["error"]


def data(response: Any, status: int = 200) -> Any:
    """The data of an answer that must have this status, or its error."""
    assert response.status_code == status, response.content
    body = response.json()
    return body["data"] if status < 400 else body["error"]


def close(org: Any) -> None:
    """Without the starter rule nothing is allowed."""
    AclRule.objects.for_org(org).delete()


def trail(org: Any, prefix: str) -> list[tuple[str, dict[str, Any]]]:
    """(action, details) of the trail, oldest first."""
    found = AuditLog.objects.for_org(org).filter(action__startswith=prefix).order_by("seq")
    return [(row.action, row.details) for row in found]
