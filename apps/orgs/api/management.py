"""`POST /api/org-management`: the organisation itself and its settings; `GET /api/user-orgs`."""

from typing import Any

from django.db import transaction
from rest_framework import serializers

from apps.core import ratelimit
from apps.core.api.access import ROLES
from apps.core.api.views import ActionView, Answer, Call, CallView, Operation
from apps.core.domains import DomainField
from apps.core.errors import ConfirmationRequired, FieldNotWritable, InvalidValue
from apps.orgs import services
from apps.orgs.models import LONGEST_TO_CONFIRM, Organization, OrgMember, OrgSettings
from apps.orgs.planning import PLANNED_SETTINGS, refuse_and_plan

OWNER_ONLY = frozenset(
    {"default_deny", "api_key_max_days", "audit_retention_days", "four_eyes", "four_eyes_jit"}
)
SETTINGS = tuple(
    field.name
    for field in OrgSettings._meta.concrete_fields
    if field.name not in ("id", "org", "created_at", "updated_at")
)


class CreateInput(serializers.Serializer):
    name = serializers.CharField(max_length=100)
    slug = serializers.CharField(max_length=63, required=False)


class UpdateInput(serializers.ModelSerializer):
    class Meta:
        model = Organization
        fields = ("name", "domain")
        extra_kwargs = {"name": {"required": False}}


class SettingsInput(serializers.ModelSerializer):
    # Resolvers of hosts take no more than six (resolv.conf(5)).
    search_domains = serializers.ListField(child=DomainField(), max_length=6, required=False)

    class Meta:
        model = OrgSettings
        fields = SETTINGS
        # Without one of our own the bound is the database's, and the document would depend on it.
        extra_kwargs = {"plan_confirm_seconds": {"max_value": LONGEST_TO_CONFIRM}}


def _create(call: Call) -> Answer:
    org = services.create_organization(user=call.principal.subject, actor=call.actor, **call.data)
    return Answer({**_summary(org), "role": "owner"}, status=201)


def _summary(org: Organization) -> dict[str, Any]:
    return {"id": org.pk, "name": org.name, "slug": org.slug, "domain": f"{org.slug}.zt.net"}


def _update(call: Call) -> dict[str, Any]:
    org = services.update_organization(org=call.org, actor=call.actor, values=call.data)
    return {"updated": True, "org": {**_summary(org), "domain": org.domain}}


def _settings_data(org: Organization, settings: OrgSettings) -> dict[str, Any]:
    """All settings by name, and whether everything is denied."""
    values = {name: getattr(settings, name) for name in SETTINGS}
    return {"org_id": org.pk, "lockdown_mode": org.lockdown_mode, **values}


def _get_settings(call: Call) -> dict[str, Any]:
    return _settings_data(call.org, OrgSettings.objects.for_org(call.org).get())


def checked_settings(call: Call, values: dict[str, Any], confirm: Any = None) -> dict[str, Any]:
    """Valid settings that this caller may change.

    Raises InvalidInput, InvalidValue, FieldNotWritable, ConfirmationRequired. FourEyesRequired for what
    decides access, which is kept as a plan: call it outside of a transaction.
    """
    serializer = SettingsInput(data=values, partial=True)
    if not serializer.is_valid():
        for name, problems in serializer.errors.items():
            if any(problem.code == "invalid_choice" for problem in problems):
                raise InvalidValue(f"{name}: {problems[0]}", field=name)
        serializer.is_valid(raise_exception=True)
    wanted = dict(serializer.validated_data)
    # An API key has no owner's rights.
    if call.role not in ROLES["O"] and (refused := sorted(OWNER_ONLY & set(wanted))):
        raise FieldNotWritable("Only owners can change this", fields=refused)
    if wanted.get("default_deny") is False:
        _require_slug(call.org, confirm)
    stored = OrgSettings.objects.for_org(call.org).get()
    planned = {name: wanted[name] for name in PLANNED_SETTINGS if name in wanted}
    moved = {name: value for name, value in planned.items() if value != getattr(stored, name)}
    if stored.four_eyes and moved:
        refuse_and_plan(call, {"settings": moved})
    return wanted


def _update_settings(call: Call) -> dict[str, Any]:
    values = {name: value for name, value in call.data.items() if name in SETTINGS}
    confirm = call.data.get("confirm")
    wanted = checked_settings(call, values, confirm)
    org = call.org
    with transaction.atomic():
        if "lockdown_mode" in call.data:
            locked = serializers.BooleanField().run_validation(call.data["lockdown_mode"])
            if locked != org.lockdown_mode:
                _require_slug(org, confirm)
            org = services.set_lockdown(org=org, actor=call.actor, locked=locked)
        settings = services.update_settings(org=org, actor=call.actor, values=wanted)
    known = {*SETTINGS, "lockdown_mode", "action", "org_id", "confirm"}
    ignored = sorted(name for name in call.data if name not in known)
    return {"updated": True, "settings": _settings_data(org, settings), "ignored": ignored}


def _require_slug(org: Organization, confirm: Any) -> None:
    if confirm != org.slug:
        raise ConfirmationRequired("confirm must be the organisation's slug", field="confirm")


def _user_orgs(call: Call) -> list[dict[str, Any]]:
    memberships = OrgMember.all_orgs.filter(
        user_id=call.principal.id, status="active", org__suspended_at=None
    ).select_related("org")
    return [
        {
            "id": member.org.pk,
            "name": member.org.name,
            "slug": member.org.slug,
            "domain": member.org.domain or f"{member.org.slug}.zt.net",
            "role": member.role,
            "org_role": None,
            "plan": "free",
            "is_default": position == 0,
        }
        for position, member in enumerate(memberships.order_by("joined_at", "pk"))
    ]


class OrgManagement(ActionView):
    topic = "org-management"
    actions = (
        Operation("create", "S", _create, CreateInput, limit=ratelimit.Limit(10, 3600)),
        Operation("update_org", "A", _update, UpdateInput, scope="settings:write"),
        Operation("get_settings", "M", _get_settings, scope="settings:read"),
        Operation("update_org_settings", "A", _update_settings, scope="settings:write", raw=True),
    )


class UserOrgs(CallView):
    path = "user-orgs"
    calls = {"GET": Operation("user-orgs", "S", _user_orgs)}
