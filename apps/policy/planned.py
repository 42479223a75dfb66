"""The tables of this app that plans change."""

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import Q
from rest_framework import serializers

from apps.core.actors import Actor
from apps.core.errors import Conflict
from apps.orgs.models import Organization
from apps.orgs.planning import Change, PlanTable, free_name
from apps.policy.api.groups import GroupWrite
from apps.policy.api.writes import IGNORED, SHORT, AbacWrite, RuleWrite
from apps.policy.documents import ABAC_COLUMNS, RULE_COLUMNS, restored
from apps.policy.models import AbacPolicy, AclRule
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
    return groups.stage_removal(org, groups.group_in(org, row_id), force)


def _named_machines(org: Organization, ids: Collection[str]) -> Q:
    return Q(pk__in=ids)


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
    ),
    PlanTable(
        table="abac_policies",
        scope="acl:write",
        noun="abac_policy",
        channel="acl",
        shown=ABAC_COLUMNS,
        serializer=AbacWrite,
        create=_create_policy,
        update=_update_policy,
        delete=_delete_policy,
        restore=_restore_policy,
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
        machines=_named_machines,
    ),
)
