"""What a webhook is sent: a row of the trail, which holds nothing secret."""

import json
import re
from typing import Any

from django.conf import settings

from apps.audit.actors import identity_of
from apps.audit.models import AuditLog
from apps.core.api.rendering import WireEncoder
from apps.machines.models import Machine
from apps.orgs.models import OrgMember

MAX_BYTES = 64 * 1024
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def body_of(row: AuditLog) -> str:
    """{id, event, created_at, org_id, actor{id, type, email?}, resource{type, id}, data{…}} as text.

    Data that would make it too long is left out, and `truncated` says so.
    """
    actor: dict[str, Any] = {"id": row.actor.subject, "type": row.actor_kind}
    if email := identity_of(row.actor)["email"]:
        actor["email"] = email
    resource = {"type": row.resource_type, "id": row.resource_id}
    data = {**row.details, **(_grant(row) if row.resource_type == "jit" else {})}
    text = compose(row.pk, row.action, row.created_at, row.org_id, actor, resource, data)
    if len(text.encode()) > MAX_BYTES:
        return compose(row.pk, row.action, row.created_at, row.org_id, actor, resource, {"truncated": True})
    return text


def compose(
    event_id: Any, event: str, created_at: Any, org_id: Any, actor: Any, resource: Any, data: Any
) -> str:
    """The text of a body; the signature is made over exactly this."""
    body = {
        "id": event_id,
        "event": event,
        "created_at": created_at,
        "org_id": org_id,
        "actor": actor,
        "resource": resource,
        "data": data,
    }
    return json.dumps(body, cls=WireEncoder, separators=(",", ":"))


def _grant(row: AuditLog) -> dict[str, Any]:
    """What approvers want to read of a request: names, and where to decide."""
    details = row.details
    source, destination = details.get("source_selector", ""), details.get("destination_selector", "")
    names = _names(row.org_id, f"{source},{destination},user:{details.get('requester_user_id')}")
    found: dict[str, Any] = {
        "grant_id": row.resource_id,
        "requester": names.get(f"user:{details.get('requester_user_id')}"),
        "source": ",".join(names.get(member, member) for member in source.split(",")),
        "destination": ",".join(names.get(member, member) for member in destination.split(",")),
    }
    if row.action == "jit.requested":
        found["approve_url"] = f"{settings.PUBLIC_URL}/jit?tab=inbox"
    return found


def _names(org_id: Any, selectors: str) -> dict[str, str]:
    """Names of machines and addresses of people by the member of a selector that names them."""
    ids = [match[0] for match in map(UUID.search, selectors.split(",")) if match]
    machines = Machine.objects.for_org(org_id).filter(pk__in=ids).values_list("pk", "name")
    people = OrgMember.objects.for_org(org_id).filter(user_id__in=ids).values_list("user_id", "user__email")
    return {str(pk): name for pk, name in machines} | {f"user:{pk}": email for pk, email in people}
