"""`POST /api/policy`: changes that are looked at before they are made."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone
from rest_framework import serializers

from apps.core.api.cursor import newest_first
from apps.core.api.views import ActionView, Answer, Call, Operation
from apps.core.errors import InvalidInput, MissingFields, NotFound
from apps.machines.models import Machine, NetmapAck
from apps.orgs.models import OrgSettings, seconds_to_confirm
from apps.orgs.planning import asked_for, refuse_and_plan
from apps.policy.api.changes import refuse_beyond, require_scopes, tables_of, tables_undone, wanted_of
from apps.policy.models import AclRule, ChangePlan, PolicyRevision
from apps.policy.models.history import PLAN_STATES
from apps.policy.services import plans as services
from apps.policy.services.checks import current_policy, run_tests
from apps.policy.services.cutcount import COUNT, connections_cut
from apps.policy.services.rules import reorder_rules

SHOWN_PENDING = 100
SOONEST, LATEST = timedelta(minutes=1), timedelta(days=30)
MAX_ACKS = 50_000


class PlanInput(serializers.Serializer):
    changes = serializers.DictField()
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, allow_null=True)


class PlanRef(serializers.Serializer):
    plan_id = serializers.UUIDField()


class ApplyInput(PlanRef):
    """Without confirm_within_seconds the organisation's setting counts; 0 asks nobody."""

    confirm_within_seconds = serializers.IntegerField(required=False, validators=[seconds_to_confirm])
    activate_at = serializers.DateTimeField(required=False, allow_null=True)
    force = serializers.BooleanField(required=False, default=False)


class ListInput(serializers.Serializer):
    status = serializers.ChoiceField((*PLAN_STATES, "awaiting_approval", "confirmed"), required=False)
    limit = serializers.IntegerField(required=False, default=50, min_value=1, max_value=200)
    cursor = serializers.CharField(max_length=100, required=False, allow_null=True)


class EnforcementInput(serializers.Serializer):
    policy_version = serializers.IntegerField(required=False, min_value=1)


class ReorderInput(serializers.Serializer):
    """All rules in the wanted order, or one of them and where to."""

    rule_ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=10_000)
    rule_id = serializers.UUIDField(required=False)
    direction = serializers.ChoiceField(("up", "down"), required=False)


def _refuse_beyond(call: Call) -> None:
    refuse_beyond(call, _document(call))


def _document(call: Call) -> Mapping[str, Any]:
    """What the plan that is named asks for; nothing for one that is not there, which the service tells."""
    plan = ChangePlan.objects.for_org(call.org).filter(pk=call.data["plan_id"]).first()
    return plan.changes if plan is not None else {}


def _plan(call: Call) -> Answer:
    document = call.data["changes"]
    wanted = wanted_of(document)
    refuse_beyond(call, document)
    plan = services.make_plan(
        org=call.org,
        actor=call.actor,
        wanted=wanted,
        document=document,
        note=call.data.get("note") or None,
    )
    return Answer(_shown(plan), status=201)


def _get(call: Call) -> dict[str, Any]:
    plan = ChangePlan.objects.for_org(call.org).filter(pk=call.data["plan_id"]).first()
    if plan is None:
        raise NotFound("No such plan")
    return _shown(plan)


def _list(call: Call) -> dict[str, Any]:
    rows = ChangePlan.objects.for_org(call.org)
    if status := call.data.get("status"):
        rows = rows.filter(status=status)
    found, following = newest_first(rows, limit=call.data["limit"], cursor=call.data.get("cursor"))
    return {"plans": [_shown(plan) for plan in found], "next_cursor": following}


def _shown(plan: ChangePlan) -> dict[str, Any]:
    inner = ("affected", "confirm_within_seconds", COUNT)
    return {
        "plan_id": plan.pk,
        **{name: value for name, value in plan.report.items() if name not in inner},
        **connections_cut(plan.report),
        **{name: getattr(plan, name) for name in ("base_version", "status", "note", "changes")},
        **{name: getattr(plan, name) for name in ("created_at", "confirm_by", "expires_at")},
        "activate_at": plan.apply_at,
        "created_by": plan.created_by_id,
        "approved_by": plan.approved_by_id,
        "policy_version": plan.applied_version,
    }


def _approve(call: Call) -> dict[str, Any]:
    # An administrator may agree to what an owner puts in force; a key, only within its scopes.
    require_scopes(call, tables_of(call.org, _document(call)))
    return _status(services.approve_plan(org=call.org, actor=call.actor, plan_id=call.data["plan_id"]))


def _apply(call: Call) -> dict[str, Any]:
    _refuse_beyond(call)
    seconds = call.data.get("confirm_within_seconds")
    if seconds is None:
        seconds = OrgSettings.objects.for_org(call.org).get().plan_confirm_seconds
    within = timedelta(seconds=seconds) if seconds else None
    who = {"org": call.org, "actor": call.actor, "plan_id": call.data["plan_id"]}
    if at := call.data.get("activate_at"):
        if not SOONEST <= at - timezone.now() <= LATEST:
            raise InvalidInput("activate_at: a minute to 30 days ahead", field="activate_at")
        if call.data["force"]:
            raise InvalidInput("force: what is checked later can't be forced now", field="force")
        plan = services.schedule_plan(**who, at=at, confirm_within=within)
        return {**_status(plan), "activate_at": plan.apply_at}
    plan, revision = services.apply_plan(
        **who, parse=wanted_of, confirm_within=within, force=call.data["force"]
    )
    return {**_status(plan), "policy_version": revision, "confirm_by": plan.confirm_by}


def _confirm(call: Call) -> dict[str, Any]:
    return _status(services.confirm_plan(org=call.org, actor=call.actor, plan_id=call.data["plan_id"]))


def _roll_back(call: Call) -> dict[str, Any]:
    _refuse_beyond(call)
    revisions = PolicyRevision.objects.for_org(call.org).filter(plan_id=call.data["plan_id"])
    entries = (entry for changes in revisions.values_list("changes", flat=True) for entry in changes)
    require_scopes(call, tables_undone(call.org, entries))
    return _status(services.roll_back_plan(org=call.org, actor=call.actor, plan_id=call.data["plan_id"]))


def _abandon(call: Call) -> dict[str, Any]:
    return _status(services.abandon_plan(org=call.org, actor=call.actor, plan_id=call.data["plan_id"]))


def _status(plan: ChangePlan) -> dict[str, Any]:
    return {"plan_id": plan.pk, "status": plan.status}


def _reorder(call: Call) -> dict[str, Any]:
    ids = call.data.get("rule_ids")
    if ids is None:
        moved, direction = call.data.get("rule_id"), call.data.get("direction")
        if moved is None or direction is None:
            raise MissingFields("rule_ids, or rule_id and direction, required", field="rule_ids")
        ids = list(AclRule.objects.for_org(call.org).values_list("pk", flat=True))
        if moved not in ids:
            raise NotFound("No such rule")
        at = ids.index(moved)
        to = max(0, at - 1) if direction == "up" else min(len(ids) - 1, at + 1)
        ids.insert(to, ids.pop(at))
    if asked_for(call.org):
        moved_rows = [{"id": str(rule_id), "priority": (at + 1) * 10} for at, rule_id in enumerate(ids)]
        refuse_and_plan(call, {"acl_rules": {"update": moved_rows}})
    rows = reorder_rules(org=call.org, actor=call.actor, rule_ids=ids)
    return {"rules": [{"id": row.pk, "priority": row.priority} for row in rows]}


def _run_tests(call: Call) -> dict[str, Any]:
    passed, failed = run_tests(call.org, current_policy(call.org), keep=True)
    return {"passed": passed, "failed": [failure.told() for failure in failed]}


def _enforcement(call: Call) -> dict[str, Any]:
    """How far a revision has come. Machines that it does not concern never acknowledge it."""
    rows = PolicyRevision.objects.for_org(call.org)
    number = call.data.get("policy_version") or rows.aggregate(last=Max("revision"))["last"]
    revision = rows.filter(revision=number).first()
    if revision is None:
        if number is None:
            return {"policy_version": 0, "saved_at": None, **_spread([], [])}
        raise NotFound("No such revision")
    later = rows.filter(revision=number + 1).values_list("created_at", flat=True).first()
    acks = NetmapAck.objects.for_org(call.org).filter(created_at__gte=revision.created_at)
    if later is not None:
        acks = acks.filter(created_at__lt=later)
    heard = list(acks.values_list("machine_id", "took_ms")[:MAX_ACKS])
    plan = ChangePlan.objects.for_org(call.org).filter(pk=revision.plan_id).first()
    concerned = plan.report.get("affected", []) if plan else []
    online = Machine.objects.for_org(call.org).filter(pk__in=concerned, status="online")
    pending = online.exclude(pk__in={machine_id for machine_id, _ in heard}).values("id", "name")
    return {"policy_version": number, "saved_at": revision.created_at, **_spread(heard, list(pending))}


def _spread(heard: list[tuple[Any, int]], pending: list[dict[str, Any]]) -> dict[str, Any]:
    times = sorted(took for _, took in heard)
    machines = {machine_id for machine_id, _ in heard}
    return {
        "agents_total": len(machines) + len(pending),
        "acknowledged": len(machines),
        "p50_ms": times[len(times) // 2] if times else None,
        "p99_ms": times[min(len(times) - 1, len(times) * 99 // 100)] if times else None,
        "pending": pending[:SHOWN_PENDING],
    }


class Plans(ActionView):
    topic = "policy"
    actions = (
        Operation("plan", "A", _plan, PlanInput, scope="acl:write"),
        Operation("get_plan", "U", _get, PlanRef, scope="acl:read"),
        Operation("list_plans", "U", _list, ListInput, scope="acl:read"),
        Operation("approve", "A", _approve, PlanRef, scope="acl:write"),
        Operation("apply", "A", _apply, ApplyInput, scope="acl:write"),
        Operation("confirm", "A", _confirm, PlanRef, scope="acl:write"),
        Operation("rollback", "A", _roll_back, PlanRef, scope="acl:write"),
        Operation("abandon", "A", _abandon, PlanRef, scope="acl:write"),
        Operation("enforcement", "M", _enforcement, EnforcementInput, scope="acl:read"),
        Operation("reorder", "A", _reorder, ReorderInput, scope="acl:write"),
        Operation("run_tests", "M", _run_tests, scope="acl:read"),
    )
