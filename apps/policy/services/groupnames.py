"""What names a group follows it: under a new name, and told whether there is such a group at all."""

from collections.abc import Collection, Mapping
from contextlib import nullcontext
from typing import Any

from apps.core.realtime import REFRESH_ABOVE, as_refresh, publish
from apps.orgs.models import Organization
from apps.orgs.planning import Change, planned_tables
from apps.policy.models import AclRule
from apps.policy.references import exchanged, policies_naming, rules_naming
from apps.policy.services.attributes import stage_policy
from apps.policy.services.rules import TABLE, stage_rule


def carry_along(org: Organization, renamed: Mapping[str, str]) -> list[Change]:
    """Rules, attribute policies and what other apps keep say the new names. Groups may exchange theirs."""
    names = {f"group:{old}": f"group:{new}" for old, new in renamed.items()}
    changes = []
    for rule in rules_naming(org, names):
        ends = {name: exchanged(getattr(rule, name), names) for name in ("source", "destination")}
        changes.append(stage_rule(org, rule, ends))
    for policy in policies_naming(org, names):
        changes.append(stage_policy(org, policy, {"selector": exchanged(policy.selector, names)}))
    for table in planned_tables().values():
        if table.rename is not None:
            changes += table.rename(org, renamed)
    return changes


def resolve_again(org: Any, *, came: Collection[str] = (), gone: Collection[str] = ()) -> None:
    """Rules lose the warning of groups that are there now, and are warned of those that are no more."""
    there, missing = ({f"group:{name}".casefold() for name in names} for names in (came, gone))
    changed = []
    for rule in rules_naming(org, there | missing):
        warned = {member for member in rule.unresolved if member.casefold() not in there | missing}
        named = {member.casefold() for end in (rule.source, rule.destination) for member in end.split(",")}
        before, rule.unresolved = rule.unresolved, sorted(warned | named & missing)
        if rule.unresolved != before:
            changed.append(rule)
    AclRule.objects.for_org(org).bulk_update(changed, ["unresolved"])
    with as_refresh() if len(changed) > REFRESH_ABOVE else nullcontext():
        for rule in changed:
            payload = {"id": rule.pk, "unresolved": rule.unresolved}
            publish(org=org, channel="acl", event="UPDATE", table=TABLE, payload=payload)
