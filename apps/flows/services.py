"""Taking reports of flows, and searching what they said."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.flows.errors import FlowLogsOff
from apps.flows.models import FlowLog, FlowReport
from apps.machines.models import Machine
from apps.machines.nodes import Node
from apps.orgs.models import OrgSettings
from apps.policy.models import AclRule

# A clock further off than this is wrong, and the moment of receipt is nearer to the truth.
EARLIEST, LATEST = timedelta(days=1), timedelta(minutes=5)


def enabled(org: Any) -> bool:
    """Whether machines of this organisation are asked for flows."""
    return OrgSettings.objects.for_org(org).filter(flow_logs_enabled=True).exists()


def take_report(*, node: Node, values: Mapping[str, Any]) -> int:
    """Keep a machine's report once; how many rows were new. Raises FlowLogsOff."""
    if not enabled(node.org_id):
        raise FlowLogsOff()
    rows, now = values["rows"], timezone.now()
    with transaction.atomic():
        _, fresh = FlowReport.objects.for_org(node.org_id).get_or_create(
            machine_id=node.pk,
            began=values["from"],
            ended=values["to"],
            defaults={"org_id": node.org_id, "dropped": values["dropped"]},
        )
        if not fresh:
            return 0
        owners = _owners(node.org_id, {row["source"] for row in rows})
        rules = _rules(node.org_id, {row["rule_id"] for row in rows if row.get("rule_id")})
        FlowLog.objects.for_org(node.org_id).bulk_create(
            FlowLog(
                org_id=node.org_id,
                machine_id=node.pk,
                source_machine_id=owners.get(row["source"]),
                at=_moment(row["at"], now),
                rule_id=rules.get(row.get("rule_id")),
                **{name: row[name] for name in COPIED},
            )
            for row in rows
        )
    return len(rows)


COPIED = ("source", "destination", "protocol", "port", "verdict", "packets", "bytes", "count")


def search(org: Any, wanted: Mapping[str, Any]) -> QuerySet[FlowLog]:
    """Rows that fit all given conditions, newest first; InvalidInput for an end that is none."""
    rows = FlowLog.objects.for_org(org).select_related("machine", "source_machine")
    if wanted.get("from"):
        rows = rows.filter(at__gte=wanted["from"])
    if wanted.get("to"):
        rows = rows.filter(at__lte=wanted["to"])
    for name in ("machine_id", "verdict", "rule_id", "protocol", "port"):
        if wanted.get(name) not in (None, ""):
            rows = rows.filter(**{name: wanted[name]})
    if source := wanted.get("source"):
        machine_id = _machine_id(source)
        rows = rows.filter(source_machine_id=machine_id) if machine_id else rows.filter(source=source)
    if destination := wanted.get("destination"):
        machine_id = _machine_id(destination)
        rows = rows.filter(_at(org, machine_id)) if machine_id else rows.filter(destination=destination)
    return rows.order_by("-at", "-pk")


def rendered(org: Any, rows: Iterable[FlowLog]) -> list[dict[str, Any]]:
    """Rows as the search answers them, with the names of now."""
    found = list(rows)
    ids = {row.rule_id for row in found if row.rule_id}
    names = dict(AclRule.objects.for_org(org).filter(pk__in=ids).values_list("pk", "name"))
    return [
        {
            "id": row.pk,
            "at": row.at,
            "machine": {"id": row.machine_id, "name": row.machine.name},
            "source": _end(row.source, row.source_machine),
            "destination": _end(row.destination, row.machine if row.destination in _addresses(row) else None),
            "protocol": row.protocol,
            "port": row.port,
            "verdict": row.verdict,
            "rule": {"id": row.rule_id, "name": names.get(row.rule_id)} if row.rule_id else None,
            "packets": row.packets,
            "bytes": row.bytes,
            "count": row.count,
        }
        for row in found
    ]


def _moment(seconds: float, now: datetime) -> datetime:
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return now
    return moment if now - EARLIEST <= moment <= now + LATEST else now


def _owners(org_id: Any, addresses: set[str]) -> dict[str, Any]:
    """Machines of this organisation by tailnet address."""
    rows = Machine.objects.for_org(org_id).filter(Q(tailnet_ip__in=addresses) | Q(tailnet_ipv6__in=addresses))
    found = {}
    for machine_id, *own in rows.values_list("pk", "tailnet_ip", "tailnet_ipv6"):
        found.update(dict.fromkeys(own, machine_id))
    return found


def _rules(org_id: Any, texts: set[str]) -> dict[str | None, Any]:
    """Rules of this organisation by the text that named them: a machine may say anything."""
    ids = {}
    for text in texts:
        try:
            ids[text] = uuid.UUID(text)
        except ValueError:
            continue
    known = set(AclRule.objects.for_org(org_id).filter(pk__in=ids.values()).values_list("pk", flat=True))
    return {text: rule_id for text, rule_id in ids.items() if rule_id in known}


def _machine_id(text: str) -> uuid.UUID | None:
    """A machine's id; None for an address."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _at(org: Any, machine_id: uuid.UUID) -> Q:
    """Flows to a machine itself: one that is a router tells of those through it as well."""
    own = Machine.objects.for_org(org).filter(pk=machine_id).values_list("tailnet_ip", "tailnet_ipv6").first()
    return Q(machine_id=machine_id, destination__in=[address for address in own or () if address])


def _addresses(row: FlowLog) -> tuple[str | None, ...]:
    return row.machine.tailnet_ip, row.machine.tailnet_ipv6


def _end(address: str, machine: Machine | None) -> dict[str, Any]:
    found = {"id": machine.pk, "name": machine.name} if machine else {"id": None, "name": None}
    return {**found, "address": address}
