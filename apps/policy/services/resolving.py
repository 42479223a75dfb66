"""Rules and attribute policies warn of what they name and nothing has, as names come and go."""

from collections.abc import Collection
from contextlib import nullcontext
from typing import Any

from apps.core.realtime import REFRESH_ABOVE, as_refresh, publish
from apps.policy.documents import ABAC_COLUMNS, selectors_of
from apps.policy.models import AbacPolicy, AclRule
from apps.policy.references import named_by, unresolved
from apps.policy.services.attributes import TABLE as POLICIES
from apps.policy.services.commit import locked
from apps.policy.services.rules import TABLE as RULES

ENDS = ("source", "destination")
BATCH = 500


def resolve_again(org_id: Any, *, came: Collection[str], went: Collection[str]) -> None:
    """Look anew at what names these members of selectors; runs in the transaction of their change.

    What came can end a warning and no more: then only rows that warn are looked at.
    """
    org = locked(org_id)
    names = {*came, *went}
    for table, model, naming in ((RULES, AclRule, ENDS), (POLICIES, AbacPolicy, ABAC_COLUMNS)):
        rows = model.objects.for_org(org)
        looked_at = (rows if went else rows.exclude(unresolved=[])).only("org_id", "unresolved", *naming)
        concerned = [row for row in looked_at if not names.isdisjoint(named_by(selectors_of(row)))]
        changed = _warned(org, concerned)
        rows.bulk_update(changed, ["unresolved"], batch_size=BATCH)
        with as_refresh() if len(changed) > REFRESH_ABOVE else nullcontext():
            for row in changed:
                payload = {"id": row.pk, "unresolved": row.unresolved}
                publish(org=org, channel="acl", event="UPDATE", table=table, payload=payload)


def _warned(org: Any, rows: list[Any]) -> list[Any]:
    """Those of the rows whose warning is another one now, and says so."""
    missing = set(unresolved(org, (selector for row in rows for selector in selectors_of(row))))
    changed = []
    for row in rows:
        before, row.unresolved = row.unresolved, sorted(missing & named_by(selectors_of(row)))
        changed += [row] if row.unresolved != before else []
    return changed
