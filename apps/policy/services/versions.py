"""Snapshots of single policies, numbered 1, 2, 3 each for itself, and the way back to them."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Max

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import ApiError, NotFound, ValidationFailed
from apps.orgs.models import Organization
from apps.orgs.planning import refuse_alone
from apps.policy.documents import restored, snapshot_of
from apps.policy.errors import InvalidType
from apps.policy.models import AbacPolicy, AclRule, PolicyRevision, PolicyVersion
from apps.policy.services.attributes import stage_policy
from apps.policy.services.checks import require_tests
from apps.policy.services.commit import commit, locked, present_revision
from apps.policy.services.rules import stage_rule

MODELS: Mapping[str, Any] = {"acl_rule": AclRule, "abac_policy": AbacPolicy}
BEFORE_ROLLBACK = "Auto-snapshot before rollback"


def model_of(policy_type: str) -> Any:
    """The table of a type; raises InvalidType."""
    if policy_type not in MODELS:
        raise InvalidType()
    return MODELS[policy_type]


def snapshot(
    *, org: Any, actor: Actor, policy_type: str, policy_id: Any, change_summary: str | None = None
) -> PolicyVersion:
    """Keep a policy as it is now; raises InvalidType, NotFound."""
    model = model_of(policy_type)
    with transaction.atomic():
        org = locked(org)
        row = model.objects.for_org(org).filter(pk=policy_id).first()
        if row is None:
            raise NotFound("No such policy")
        return _keep(org, actor, policy_type, policy_id, snapshot_of(row), change_summary)


def roll_back(
    *, org: Any, actor: Actor, policy_type: str, policy_id: Any, version_id: Any
) -> tuple[PolicyVersion, bool]:
    """Make a policy what it was; returns the version and whether a deleted policy came back.

    Raises InvalidType, NotFound, ValidationFailed if the snapshot may not stand any more, TestsFailed.
    """
    model = model_of(policy_type)
    with transaction.atomic():
        org = locked(org)
        refuse_alone(org)
        rows = PolicyVersion.objects.for_org(org).filter(policy_type=policy_type, policy_id=policy_id)
        version = rows.filter(pk=version_id).first()
        if version is None:
            raise NotFound("No such version")
        row = model.objects.for_org(org).select_for_update().filter(pk=policy_id).first()
        if row is not None:
            _keep(org, actor, policy_type, policy_id, snapshot_of(row), BEFORE_ROLLBACK)
        change = _restore(org, actor, policy_type, row, policy_id, version.snapshot)
        require_tests(org)
        commit(org=org, actor=actor, changes=[change], reason="policy.rollback")
        _note(org, actor, "rollback", policy_type, policy_id, rolled_back_to_version=version.version)
        return version, row is None


def label_revision(*, org: Any, actor: Actor, summary: str | None) -> int:
    """Give the present revision a name; returns its number."""
    with transaction.atomic():
        org = locked(org)
        revision = present_revision(org)
        PolicyRevision.objects.for_org(org).filter(revision=revision).update(label=summary or "Labelled")
        details = {"revision": revision, "change_summary": summary}
        record(org=org, actor=actor, action="policy.snapshot", resource_id=org.pk, details=details)
        return revision


def _restore(
    org: Organization, actor: Actor, policy_type: str, row: Any, policy_id: Any, kept: Mapping[str, Any]
) -> Any:
    if row is None:
        row = MODELS[policy_type](org_id=org.pk, created_by_id=actor.user_id)
    values = restored(kept)
    try:
        if policy_type == "acl_rule":
            return stage_rule(org, row, values, row_id=policy_id, past=True)
        return stage_policy(org, row, values, row_id=policy_id)
    except ApiError as error:
        raise ValidationFailed(f"This version is no longer valid: {error.message}") from None


def _keep(
    org: Organization, actor: Actor, policy_type: str, policy_id: Any, kept: Any, summary: str | None
) -> PolicyVersion:
    rows = PolicyVersion.objects.for_org(org).filter(policy_type=policy_type, policy_id=policy_id)
    number = (rows.aggregate(last=Max("version"))["last"] or 0) + 1
    version = PolicyVersion.objects.create_in(
        org,
        policy_type=policy_type,
        policy_id=policy_id,
        version=number,
        snapshot=kept,
        change_summary=summary,
        changed_by_id=actor.user_id,
    )
    _note(org, actor, "snapshot", policy_type, policy_id, version=number, change_summary=summary)
    return version


def _note(org: Any, actor: Actor, verb: str, policy_type: str, policy_id: Any, **details: Any) -> None:
    told = {"policy_type": policy_type, **details}
    record(org=org, actor=actor, action=f"policy.{verb}", resource_id=policy_id, details=told)
