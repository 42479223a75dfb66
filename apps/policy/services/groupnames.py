"""What names a group follows it under a new name."""

from collections.abc import Mapping

from apps.orgs.models import Organization
from apps.orgs.planning import Change, planned_tables
from apps.policy.references import exchanged, policies_naming, rules_naming
from apps.policy.services.attributes import stage_policy
from apps.policy.services.rules import stage_rule


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
