"""The signed-in person: profile, preferences, password, step-up, sessions."""

import json
import uuid
from typing import Any

from django.core.validators import URLValidator
from rest_framework import serializers

from apps.auth import services, sessions
from apps.auth.api.pair import pair_answer
from apps.auth.models import Session, User
from apps.core import ratelimit
from apps.core.api import access
from apps.core.api.views import Answer, Call, CallView, Operation
from apps.core.errors import InvalidInput, NotFound
from apps.core.models import UserPreferences

PASSWORD_LIMIT = ratelimit.Limit(5, 300)
LARGEST_PREFERENCES = 8 * 1024


class ProfileInput(serializers.Serializer):
    full_name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    avatar_url = serializers.CharField(
        max_length=500, required=False, allow_blank=True, validators=[URLValidator(["https"])]
    )
    locale = serializers.RegexField(r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$", max_length=10, required=False)


class PreferencesInput(serializers.Serializer):
    values = serializers.DictField()


class ChangePasswordInput(serializers.Serializer):
    current_password = serializers.CharField(max_length=1000, trim_whitespace=False)
    new_password = serializers.CharField(max_length=1000, trim_whitespace=False)


class StepUpInput(serializers.Serializer):
    password = serializers.CharField(max_length=1000, trim_whitespace=False)


def _profile(user: User) -> dict[str, Any]:
    return {
        "id": user.pk,
        "email": user.email,
        "name": user.full_name,
        "full_name": user.full_name,
        "avatar_url": user.avatar_url or None,
        "locale": user.locale,
        "email_verified": user.email_verified,
        "created_at": user.created_at,
    }


def _me(call: Call) -> dict[str, Any]:
    return _profile(call.principal.subject)


def _change_me(call: Call) -> dict[str, Any]:
    user = call.principal.subject
    return _profile(services.update_profile(user=user, actor=call.actor, values=call.data))


def _preferences_org(call: Call) -> uuid.UUID | None:
    given = call.request.query_params.get("org_id")
    if not given:
        return None
    try:
        return access.org_access(call.principal, uuid.UUID(given)).org.pk
    except ValueError:
        raise InvalidInput("org_id: must be a UUID", field="org_id") from None


def _preferences(call: Call) -> dict[str, Any]:
    org_id = _preferences_org(call)
    row = UserPreferences.objects.filter(user=call.principal.subject, for_org=org_id).first()
    return {"values": row.values if row else {}}


def _put_preferences(call: Call) -> dict[str, Any]:
    values = call.data["values"]
    if len(json.dumps(values)) > LARGEST_PREFERENCES:
        raise InvalidInput("values: at most 8 KB", field="values")
    UserPreferences.objects.update_or_create(
        user=call.principal.subject, for_org_id=_preferences_org(call), defaults={"values": values}
    )
    return {"values": values}


def _own_session(call: Call) -> Session:
    return Session.objects.select_related("user").get(pk=call.principal.session_id)


def _change_password(call: Call) -> Answer:
    pair = services.change_password(
        session=_own_session(call),
        actor=call.actor,
        current=call.data["current_password"],
        new=call.data["new_password"],
    )
    return pair_answer(call.request, pair, changed=True)


def _step_up(call: Call) -> dict[str, Any]:
    session = services.step_up(session=_own_session(call), password=call.data["password"])
    return {"valid_until": session.stepped_up_until}


def _live_sessions(call: Call) -> Any:
    return Session.objects.filter(user=call.principal.subject, ended_at=None)


def _sessions(call: Call) -> list[dict[str, Any]]:
    return [
        {
            "id": session.pk,
            "kind": session.kind,
            "device": session.device or session.user_agent,
            "ip": session.ip,
            "place": None,
            "created_at": session.created_at,
            "last_used_at": session.last_used_at,
            "current": session.pk == call.principal.session_id,
        }
        for session in _live_sessions(call).order_by("-last_used_at")[:100]
    ]


def _end_others(call: Call) -> dict[str, Any]:
    others = _live_sessions(call).exclude(pk=call.principal.session_id)
    return {"revoked": sessions.end_sessions(others, reason="revoked")}


def _end_one(call: Call) -> dict[str, Any]:
    found = _live_sessions(call).filter(pk=call.path["session_id"])
    if not sessions.end_sessions(found, reason="revoked"):
        raise NotFound()
    return {"revoked": call.path["session_id"]}


class Me(CallView):
    path = "auth/me"
    calls = {
        "GET": Operation("me", "S", _me),
        "PATCH": Operation("change-me", "S", _change_me, ProfileInput),
    }


class Preferences(CallView):
    path = "auth/preferences"
    calls = {
        "GET": Operation("preferences", "S", _preferences),
        "PUT": Operation("put-preferences", "S", _put_preferences, PreferencesInput),
    }


class ChangePassword(CallView):
    path = "auth/change-password"
    calls = {
        "POST": Operation("change-password", "S", _change_password, ChangePasswordInput, limit=PASSWORD_LIMIT)
    }


class StepUp(CallView):
    path = "auth/step-up"
    calls = {"POST": Operation("step-up", "S", _step_up, StepUpInput, limit=PASSWORD_LIMIT)}


class Sessions(CallView):
    path = "auth/sessions"
    calls = {
        "GET": Operation("sessions", "S", _sessions),
        "DELETE": Operation("end-other-sessions", "S", _end_others),
    }


class OneSession(CallView):
    path = "auth/sessions/<uuid:session_id>"
    calls = {"DELETE": Operation("end-session", "S", _end_one)}
