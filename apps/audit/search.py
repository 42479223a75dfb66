"""Searching the trail."""

from collections.abc import Mapping
from typing import Any

from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Cast

from apps.audit.actors import identity_of
from apps.audit.models import AuditActor, AuditLog
from apps.audit.services import canonical


def search(org: Any, wanted: Mapping[str, Any]) -> QuerySet[AuditLog]:
    """Rows that fit all given conditions, newest first."""
    rows = AuditLog.objects.for_org(org)
    if action := wanted.get("action"):
        exact = not action.endswith(".*")
        rows = rows.filter(action=action) if exact else rows.filter(action__startswith=action[:-1])
    if category := (wanted.get("action_category") or "").removesuffix("."):
        rows = rows.filter(Q(action=category) | Q(action__startswith=f"{category}."))
    for name in ("resource_type", "resource_id", "user_id"):
        if wanted.get(name):
            rows = rows.filter(**{name: wanted[name]})
    if wanted.get("date_from"):
        rows = rows.filter(created_at__gte=wanted["date_from"])
    if wanted.get("date_to"):
        rows = rows.filter(created_at__lte=wanted["date_to"])
    if wanted.get("after_id"):
        after = AuditLog.objects.for_org(org).filter(pk=wanted["after_id"]).values("seq")
        rows = rows.filter(seq__lt=after)
    if text := wanted.get("search"):
        rows = rows.annotate(details_text=Cast("details", CharField())).filter(
            Q(action__icontains=text)
            | Q(resource_type__icontains=text)
            | Q(resource_id__icontains=text)
            | Q(details_text__icontains=text)
            | Q(actor_id__in=_actors_named(org, text))
        )
    return rows.order_by("-seq")


def _actors_named(org: Any, text: str) -> list[Any]:
    """Names are sealed, so they are opened and compared here; an organisation has few actors."""
    text = text.lower()
    return [
        actor.pk
        for actor in AuditActor.objects.for_org(org)
        if any(text in (identity_of(actor)[name] or "").lower() for name in ("name", "email"))
    ]


def rendered(rows: QuerySet[AuditLog], *, with_chain: bool = False) -> list[dict[str, Any]]:
    """Rows as the search answers them; with_chain: and what it takes to check them elsewhere."""
    found = list(rows.select_related("actor"))
    names = {actor.pk: identity_of(actor) for actor in {row.actor for row in found}}
    return [
        {
            "id": row.pk,
            "action": row.action,
            "resource_type": row.resource_type,
            "resource_id": row.resource_id,
            "details": row.details,
            "user_id": row.user_id,
            "actor": names[row.actor_id],
            "ip_address": row.ip_address,
            "user_agent": row.user_agent,
            "created_at": row.created_at,
            **(_links(row) if with_chain else {}),
        }
        for row in found
    ]


def _links(row: AuditLog) -> dict[str, Any]:
    chain = {"seq": row.seq, "prev_hash": row.prev_hash, "hash": row.hash, "canonical": canonical(row)}
    return {"chain": chain}


def filters_present(org: Any) -> dict[str, list[str]]:
    """What the menus of the search may offer: only what occurs in this organisation."""
    rows = AuditLog.objects.for_org(org).order_by()
    actions = rows.values_list("action", flat=True).distinct()
    return {
        "resource_types": sorted(rows.values_list("resource_type", flat=True).distinct()),
        "action_categories": sorted({action.partition(".")[0] for action in actions}),
    }
