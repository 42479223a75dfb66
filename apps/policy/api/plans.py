"""`POST /api/policy`: changes that are looked at before they are made."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Max
from rest_framework import serializers

from apps.core.api.access import ROLES
from apps.core.api.views import ActionView, Answer, Call, Operation
from apps.core.errors import FieldNotWritable, MissingFields, NotFound, UnknownField, ValidationFailed
from apps.machines.models import Machine, NetmapAck
from apps.orgs.api.management import OWNER_ONLY
from apps.policy.api.attributes import AbacWrite
from apps.policy.api.rules import IGNORED, SHORT, RuleWrite
from apps.policy.models import AclRule, ChangePlan, PolicyRevision
from apps.policy.models.history import PLAN_STATES
from apps.policy.services import plans as services
from apps.policy.services.checks import current_policy, run_tests
from apps.policy.services.plans import TableChanges, Wanted
from apps.policy.services.rules import reorder_rules

MAX_ROWS = 1000
TABLES = {"acl_rules": RuleWrite, "abac_policies": AbacWrite}
SETTINGS = ("default_deny",)
SHOWN_PENDING = 100
MAX_ACKS = 50_000


class PlanInput(serializers.Serializer):
    changes = serializers.DictField()
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, allow_null=True)


class PlanRef(serializers.Serializer):
    plan_id = serializers.UUIDField()


class ApplyInput(PlanRef):
    confirm_within_seconds = serializers.IntegerField(required=False, min_value=0, max_value=3600)
    force = serializers.BooleanField(required=False, default=False)


class ListInput(serializers.Serializer):
    status = serializers.ChoiceField((*PLAN_STATES, "awaiting_approval", "confirmed"), required=False)
    limit = serializers.IntegerField(required=False, default=50, min_value=1, max_value=200)


class EnforcementInput(serializers.Serializer):
    policy_version = serializers.IntegerField(required=False, min_value=1)


class ReorderInput(serializers.Serializer):
    """All rules in the wanted order, or one of them and where to."""

    rule_ids = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=10_000)
    rule_id = serializers.UUIDField(required=False)
    direction = serializers.ChoiceField(("up", "down"), required=False)


def wanted_of(document: Mapping[str, Any]) -> Wanted:
    """A change as it was asked for, checked column by column; raises ValidationFailed, UnknownField."""
    for name in document:
        if name not in TABLES and name != "settings":
            raise ValidationFailed(f"changes: {name} cannot be planned", field=name)
    settings = document.get("settings") or {}
    if not isinstance(settings, dict) or not all(isinstance(value, bool) for value in settings.values()):
        raise ValidationFailed("settings: must hold switches", field="settings")
    for name in settings:
        if name not in SETTINGS:
            raise UnknownField(f"settings: {name} cannot be planned", field=name)
    rules, attributes = (_table(name, document.get(name) or {}) for name in TABLES)
    return Wanted(rules, attributes, settings)


def _table(table: str, document: Any) -> TableChanges:
    if not isinstance(document, dict) or set(document) - {"create", "update", "delete"}:
        raise ValidationFailed(f"{table}: must hold create, update and delete", field=table)
    lists = [document.get(verb) or [] for verb in ("create", "update", "delete")]
    if not all(isinstance(entries, list) for entries in lists) or sum(map(len, lists)) > MAX_ROWS:
        raise ValidationFailed(f"{table}: lists of at most {MAX_ROWS} rows", field=table)
    create, update, delete = lists
    changed = []
    for row in update:
        if not isinstance(row, dict) or "id" not in row:
            raise MissingFields(f"{table}: update needs an id", field="id")
        values = {name: value for name, value in row.items() if name != "id"}
        changed.append((_id(row["id"]), _columns(table, values, partial=True)))
    made = [{**_columns(table, row, partial=False)} for row in create]
    for values in made:
        values.pop("revision", None)
    return TableChanges(made, changed, [_id(row_id) for row_id in delete])


def _columns(table: str, row: Any, *, partial: bool) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise ValidationFailed(f"{table}: a row must be an object", field=table)
    serializer = TABLES[table]
    known = {*serializer().fields, *(SHORT if table == "acl_rules" else ()), *IGNORED}
    read_only = {"id", "org_id", "created_at", "created_by", "updated_at"}
    for name in row:
        if name not in known | read_only:
            raise UnknownField(f"{table}: no column {name}", field=name)
    values = {name: value for name, value in row.items() if name not in read_only}
    parsed = serializer(data=values, partial=partial)
    parsed.is_valid(raise_exception=True)
    return parsed.validated_data


def _id(value: Any) -> Any:
    return serializers.UUIDField().run_validation(value)


def _refuse_settings_of_owners(call: Call, document: Mapping[str, Any]) -> None:
    """A plan is no way around who may change a setting; raises FieldNotWritable."""
    refused = sorted(OWNER_ONLY & set(document.get("settings") or {}))
    if refused and call.role not in ROLES["O"]:
        raise FieldNotWritable("Only owners can change this", fields=refused)


def _refuse_plan_of_owners(call: Call) -> None:
    plan = ChangePlan.objects.for_org(call.org).filter(pk=call.data["plan_id"]).first()
    if plan is not None:
        _refuse_settings_of_owners(call, plan.changes)


def _plan(call: Call) -> Answer:
    document = call.data["changes"]
    wanted = wanted_of(document)
    _refuse_settings_of_owners(call, document)
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
    return {"plans": [_shown(plan) for plan in rows[: call.data["limit"]]], "next_cursor": None}


def _shown(plan: ChangePlan) -> dict[str, Any]:
    inner = ("affected", "settings_before")
    return {
        "plan_id": plan.pk,
        **{name: value for name, value in plan.report.items() if name not in inner},
        **{name: getattr(plan, name) for name in ("base_version", "status", "note", "changes")},
        **{name: getattr(plan, name) for name in ("created_at", "confirm_by", "expires_at")},
        "created_by": plan.created_by_id,
        "approved_by": plan.approved_by_id,
        "policy_version": plan.applied_version,
    }


def _approve(call: Call) -> dict[str, Any]:
    return _status(services.approve_plan(org=call.org, actor=call.actor, plan_id=call.data["plan_id"]))


def _apply(call: Call) -> dict[str, Any]:
    _refuse_plan_of_owners(call)
    seconds = call.data.get("confirm_within_seconds") or 0
    plan, revision = services.apply_plan(
        org=call.org,
        actor=call.actor,
        plan_id=call.data["plan_id"],
        parse=wanted_of,
        confirm_within=timedelta(seconds=seconds) if seconds else None,
        force=call.data["force"],
    )
    return {**_status(plan), "policy_version": revision, "confirm_by": plan.confirm_by}


def _confirm(call: Call) -> dict[str, Any]:
    return _status(services.confirm_plan(org=call.org, actor=call.actor, plan_id=call.data["plan_id"]))


def _roll_back(call: Call) -> dict[str, Any]:
    _refuse_plan_of_owners(call)
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
