"""The tables of this app that plans change."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.errors import Conflict
from apps.orgs.models import Organization
from apps.orgs.planning import Change, PlanTable, free_name
from apps.policy.api.groups import GroupWrite
from apps.policy.api.writes import IGNORED, SHORT, WARNED, AbacWrite, RuleWrite
from apps.policy.documents import ABAC_COLUMNS, RULE_COLUMNS, restored
from apps.policy.models import AbacPolicy, AclRule, SegmentationGroupMember
from apps.policy.references import policies_naming, rules_naming
from apps.policy.services import groupstages as groups
from apps.policy.services.attributes import policy_in, stage_policy
from apps.policy.services.attributes import stage_removal as stage_policy_removal
from apps.policy.services.rules import rule_in, stage_removal, stage_rule

MAX_MEMBERS = 10_000
LONGEST_POLICY_NAME = 100


class GroupPlan(GroupWrite):
    """A group with all the machines that are to be in it; without `members` they stay as they are."""

    members = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=MAX_MEMBERS)


def _create_rule(org: Organization, actor: Actor, values: Mapping[str, Any]) -> list[Change]:
    columns = {name: value for name, value in values.items() if name != "revision"}
    return [stage_rule(org, AclRule(org_id=org.pk, created_by_id=actor.user_id), columns)]


def _update_rule(
    org: Organization, actor: Actor, row_id: uuid.UUID, values: Mapping[str, Any]
) -> list[Change]:
    row, columns = rule_in(org, row_id), dict(values)
    if columns.pop("revision", row.revision) != row.revision:
        raise Conflict("Somebody else has changed this rule; look at it again", field="revision")
    return [stage_rule(org, row, columns)]


def _delete_rule(org: Organization, actor: Actor, row_id: uuid.UUID, force: bool) -> list[Change]:
    return [stage_removal(rule_in(org, row_id))]


def _restore_rule(
    *, org: Organization, actor: Actor, row_id: uuid.UUID, before: Any, after: Any
) -> list[Change]:
    row = AclRule.objects.for_org(org).select_for_update().filter(pk=row_id).first()
    if before is None:
        return [stage_removal(row)] if row else []
    row = row or AclRule(org_id=org.pk, created_by_id=actor.user_id)
    return [stage_rule(org, row, restored(before), row_id=row_id, past=True)]


def _create_policy(org: Organization, actor: Actor, values: Mapping[str, Any]) -> list[Change]:
    return [stage_policy(org, AbacPolicy(org_id=org.pk, created_by_id=actor.user_id), values)]


def _update_policy(
    org: Organization, actor: Actor, row_id: uuid.UUID, values: Mapping[str, Any]
) -> list[Change]:
    return [stage_policy(org, policy_in(org, row_id), values)]


def _delete_policy(org: Organization, actor: Actor, row_id: uuid.UUID, force: bool) -> list[Change]:
    return [stage_policy_removal(policy_in(org, row_id))]


def _restore_policy(
    *, org: Organization, actor: Actor, row_id: uuid.UUID, before: Any, after: Any
) -> list[Change]:
    policies = AbacPolicy.objects.for_org(org)
    row = policies.select_for_update().filter(pk=row_id).first()
    if before is None:
        return [stage_policy_removal(row)] if row else []
    row = row or AbacPolicy(org_id=org.pk, created_by_id=actor.user_id)
    name = free_name([policies], row_id, before["name"], LONGEST_POLICY_NAME)
    return [stage_policy(org, row, restored(before) | {"name": name}, row_id=row_id)]


def _update_group(
    org: Organization, actor: Actor, row_id: uuid.UUID, values: Mapping[str, Any]
) -> list[Change]:
    return groups.stage_edit(org, groups.group_in(org, row_id), values)


def _delete_group(org: Organization, actor: Actor, row_id: uuid.UUID, force: bool) -> list[Change]:
    return groups.stage_removal(org, actor, groups.group_in(org, row_id), force)


def _rules_naming(org: Organization, group: str) -> list[AclRule]:
    return rules_naming(org, [f"group:{group}"])


def _policies_naming(org: Organization, group: str) -> list[AbacPolicy]:
    return policies_naming(org, [f"group:{group}"])


def _unresolved_rules(org: Organization, ids: Collection[Any]) -> set[str]:
    return _unresolved_in(AclRule.objects.for_org(org).filter(pk__in=ids))


def _unresolved_policies(org: Organization, ids: Collection[Any]) -> set[str]:
    return _unresolved_in(AbacPolicy.objects.for_org(org).filter(pk__in=ids))


def _unresolved_in(rows: QuerySet) -> set[str]:
    return {member for found in rows.values_list("unresolved", flat=True) for member in found}


def _members(org: Organization, rows: Iterable[Mapping[str, Any]]) -> Q:
    """Those that are to be in the groups, and those that are."""
    rows = list(rows)
    named = {str(machine_id) for row in rows for machine_id in row.get("members") or ()}
    ids = {str(row["id"]) for row in rows if "id" in row}
    present = SegmentationGroupMember.objects.for_org(org).filter(group_id__in=ids)
    return Q(pk__in=named) | Q(pk__in=present.values("machine_id"))


TABLES = (
    PlanTable(
        table="acl_rules",
        scope="acl:write",
        noun="acl_rule",
        channel="acl",
        shown=RULE_COLUMNS,
        serializer=RuleWrite,
        takes=(*SHORT, *IGNORED),
        create=_create_rule,
        update=_update_rule,
        delete=_delete_rule,
        restore=_restore_rule,
        naming=_rules_naming,
        unresolved=_unresolved_rules,
    ),
    PlanTable(
        table="abac_policies",
        scope="acl:write",
        noun="abac_policy",
        channel="acl",
        shown=ABAC_COLUMNS,
        serializer=AbacWrite,
        takes=WARNED,
        create=_create_policy,
        update=_update_policy,
        delete=_delete_policy,
        restore=_restore_policy,
        naming=_policies_naming,
        unresolved=_unresolved_policies,
    ),
    PlanTable(
        table=groups.TABLE,
        scope="acl:write",
        noun="segmentation_group",
        channel="acl",
        shown=groups.COLUMNS,
        children=("segmentation_group_members",),
        serializer=GroupPlan,
        create=groups.stage_new,
        update=_update_group,
        delete=_delete_group,
        restore=groups.restore_group,
        named=True,
        machines=_members,
    ),
)
