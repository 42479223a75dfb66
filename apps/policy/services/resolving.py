"""Rules and attribute policies warn of what they name and nothing has, as names come and go."""

from collections.abc import Collection
from typing import Any

from apps.core.realtime import publish
from apps.policy.documents import ABAC_COLUMNS, selectors_of
from apps.policy.models import AbacPolicy, AclRule
from apps.policy.references import named_by, unresolved
from apps.policy.services.attributes import TABLE as POLICIES
from apps.policy.services.commit import locked
from apps.policy.services.rules import TABLE as RULES

ENDS = ("source", "destination")


def resolve_again(org_id: Any, *, came: Collection[str], went: Collection[str]) -> None:
    """Look anew at what names these members of selectors; runs in the transaction of their change.

    What came can end a warning and no more: then only rows that warn are looked at.
    """
    org = locked(org_id)
    names = {*came, *went}
    concerned: list[tuple[str, AclRule | AbacPolicy]] = []
    for table, model, naming in ((RULES, AclRule, ENDS), (POLICIES, AbacPolicy, ABAC_COLUMNS)):
        rows = model.objects.for_org(org).only("unresolved", *naming)
        rows = rows if went else rows.exclude(unresolved=[])
        concerned += [(table, row) for row in rows if not names.isdisjoint(named_by(selectors_of(row)))]
    missing = set(unresolved(org, (selector for _, row in concerned for selector in selectors_of(row))))
    for table, row in concerned:
        found = sorted(missing & named_by(selectors_of(row)))
        if found != row.unresolved:
            row.unresolved = found
            row.save(update_fields=["unresolved"])
            payload = {"id": row.pk, "unresolved": found}
            publish(org=org, channel="acl", event="UPDATE", table=table, payload=payload)
