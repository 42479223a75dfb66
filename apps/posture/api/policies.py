"""Table posture_policies and `POST /api/posture`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.views import ActionView, Answer, Call, Operation
from apps.core.errors import InvalidInput, NotFound
from apps.machines.api.fields import Flag, WholeNumber, machine_org
from apps.machines.models import Machine
from apps.orgs.api.planned import PlannedTable
from apps.orgs.api.warnings import tell_warnings
from apps.orgs.planning import asked_for, refuse_and_plan
from apps.posture.judgement import ON_FAIL
from apps.posture.models import PostureHistory, PosturePolicy
from apps.posture.scopes import missing_in, names_of
from apps.posture.services import policies as services
from apps.posture.templates import template_rows

MAX_GRACE_MINUTES = 30 * 24 * 60
MAX_POINTS = 5000
# The guide's names, and where they are put.
REQUIREMENTS = {
    "os_version_min": "min_os_version",
    "disk_encryption": "require_disk_encryption",
    "firewall": "require_firewall",
    "antivirus": "require_antivirus",
    "screen_lock": "screen_lock",
    "auto_update": "require_auto_update",
    "agent_version_min": "agent_version_min",
}


# Columns that tell of a scope; in an exported row they go back in, and mean nothing.
WARNED = ("unresolved", "warnings")


class PolicyWrite(serializers.Serializer):
    """Columns of a policy, or the guide's `requirements`; the service judges what stands in them."""

    name = serializers.CharField(max_length=100)
    description = serializers.CharField(max_length=500, required=False, allow_null=True, allow_blank=True)
    scope = serializers.JSONField(required=False)
    allowed_os = serializers.JSONField(required=False)
    min_os_version = serializers.JSONField(required=False)
    require_disk_encryption = Flag(required=False)
    require_firewall = Flag(required=False)
    require_antivirus = Flag(required=False)
    max_patch_age_days = WholeNumber(min_value=0, max_value=3650, required=False, allow_null=True)
    screen_lock = serializers.JSONField(required=False, allow_null=True)
    require_auto_update = Flag(required=False)
    agent_version_min = serializers.CharField(
        max_length=40, required=False, allow_null=True, allow_blank=True
    )
    on_fail = serializers.ChoiceField(ON_FAIL, required=False)
    grace_period_min = WholeNumber(min_value=0, max_value=MAX_GRACE_MINUTES, required=False)
    enabled = Flag(required=False)
    requirements = serializers.JSONField(required=False, write_only=True)

    def to_internal_value(self, data: Any) -> Any:
        """`requirements` is another spelling of the columns; a column that is given too wins."""
        values = {name: value for name, value in data.items() if name not in WARNED}
        asked = values.pop("requirements", None) or {}
        if not isinstance(asked, dict) or any(name not in REQUIREMENTS for name in asked):
            raise InvalidInput(f"requirements: an object of {', '.join(REQUIREMENTS)}", field="requirements")
        for name, value in asked.items():
            values.setdefault(REQUIREMENTS[name], value)
        return super().to_internal_value(values)


class PreviewInput(serializers.Serializer):
    policy = PolicyWrite()


class HistoryInput(serializers.Serializer):
    machine_id = serializers.UUIDField()
    days = WholeNumber(min_value=1, max_value=365, required=False, default=30)


class TemplateInput(serializers.Serializer):
    template_id = serializers.UUIDField()
    name = serializers.CharField(max_length=100, required=False)


def _preview(call: Call) -> dict[str, Any]:
    return services.preview(org=call.org, values=call.data["policy"])


def _history(call: Call) -> dict[str, Any]:
    """The last point before the window says how it began."""
    machine_id = call.data["machine_id"]
    if not Machine.objects.for_org(call.org).filter(pk=machine_id).exists():
        raise NotFound()
    begin = timezone.now() - timedelta(days=call.data["days"])
    points = PostureHistory.objects.for_org(call.org).filter(machine_id=machine_id)
    before = points.filter(created_at__lt=begin).order_by("-created_at")[:1]
    within = points.filter(created_at__gte=begin).order_by("-created_at")[:MAX_POINTS]
    found = sorted([*before, *within], key=lambda point: point.created_at)
    return {
        "points": [
            {"at": point.created_at, "compliant": point.compliant, "violations": point.violations}
            for point in found
        ]
    }


def _from_template(call: Call) -> Answer:
    if asked_for(call.org):
        refuse_and_plan(call, {services.TABLE: {"create": [services.template_values(**call.data)]}})
    row = services.copy_template(org=call.org, actor=call.actor, **call.data)
    shown = PosturePoliciesTable.resolved_columns().values()
    made = {column.name: getattr(row, column.source) for column in shown}
    tell_unresolved([made], call.org.pk)
    return Answer(made, status=201)


def tell_unresolved(rows: list[dict[str, Any]], org_id: Any) -> None:
    """Rendered rows whose `unresolved` and `warnings` hold the scope."""
    missing = missing_in(org_id, [row[name] for row in rows for name in WARNED if name in row])
    for row in rows:
        row |= {name: sorted(missing & names_of(row[name])) for name in WARNED if name in row}
    tell_warnings(rows)


class Posture(ActionView):
    topic = "posture"
    actions = (
        Operation("preview", "A", _preview, PreviewInput, scope="posture:write"),
        Operation("history", "M", _history, HistoryInput, scope="posture:read", org_of=machine_org),
        Operation("from_template", "A", _from_template, TemplateInput, scope="posture:write"),
    )


DEFAULTS = {name: PosturePolicy._meta.get_field(name).get_default() for name in services.COLUMNS}
# Parameters that say how to show rows, and not which.
SHOWING = frozenset({"org_id", "select", "order", "ascending", "limit", "count"})


class PosturePoliciesTable(PlannedTable):
    table, model, scope = "posture_policies", PosturePolicy, "posture"
    columns = (
        *(Column(name) for name in ("id", "org_id", "created_at", "updated_at")),
        Column("created_by", source="created_by_id"),
        *(Column(name, write="A") for name in services.COLUMNS),
        *(Column(name, write="A", source="scope", filterable=False) for name in WARNED),
    )
    default_order = ("name",)
    read, insert, update, delete_by = "M", "A", "A", "A"
    serializer = PolicyWrite

    def decorate(self, rows: list[dict[str, Any]], call: Call) -> None:
        """What scopes name and nothing has. Templates follow the organisation's own rows, unless a filter
        asks for something else."""
        tell_unresolved(rows, call.org.pk)
        params = call.request.query_params
        wanted = params.get("id", "").removeprefix("eq.")
        if call.request.method != "GET" or set(params) - SHOWING - {"id"}:
            return
        select = params.get("select") or "*"
        names = [column.name for column in self.columns] if select == "*" else select.split(",")
        for template in template_rows():
            if not wanted or str(template["id"]) == wanted.lower():
                full = DEFAULTS | {name: [] for name in WARNED} | template
                rows.append({name.strip(): full[name.strip()] for name in names})

    def create_row(self, call: Call, values: Mapping[str, Any]) -> PosturePolicy:
        return services.create_policy(org=call.org, actor=call.actor, values=values)

    def update_row(self, call: Call, row: PosturePolicy, values: Mapping[str, Any]) -> None:
        services.update_policy(org=call.org, actor=call.actor, policy_id=row.pk, values=values)

    def delete_row(self, call: Call, row: PosturePolicy, *, force: bool) -> None:
        services.delete_policy(org=call.org, actor=call.actor, policy_id=row.pk)
