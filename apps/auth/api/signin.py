"""Signing up, in and out."""

from typing import Any

from django.db import transaction
from rest_framework import serializers

from apps.auth import services, sessions
from apps.auth.api.pair import clear_cookie, cookie_name, is_browser, pair_answer
from apps.auth.errors import MissingToken
from apps.auth.models import Session, canonical_email
from apps.core import ratelimit
from apps.core.api.views import Answer, Call, CallView, Operation

FIVE_PER_5_MIN = ratelimit.Limit(5, 300)
TEN_PER_5_MIN = ratelimit.Limit(10, 300)


class SignupInput(serializers.Serializer):
    email = serializers.EmailField(max_length=254)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)
    full_name = serializers.CharField(max_length=200, required=False, allow_blank=True)
    invite_token = serializers.CharField(max_length=100, required=False, allow_null=True)


class LoginInput(serializers.Serializer):
    email = serializers.CharField(max_length=254)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)


class RefreshInput(serializers.Serializer):
    refresh_token = serializers.CharField(max_length=200, required=False, allow_null=True)


def _signup(call: Call) -> Answer:
    values = call.data
    user = services.sign_up(
        email=values["email"], password=values["password"], full_name=values.get("full_name", "")
    )
    if user is None:
        data = {"user_id": services.placeholder_id(), "email": canonical_email(values["email"])}
        absent = dict.fromkeys(("token", "access_token", "refresh_token"))
        return Answer({**data, **absent, "email_verified": False}, status=201)
    pair = _sign_in(call, user)
    return pair_answer(call.request, pair, status=201, email_verified=user.email_verified)


def _login(call: Call) -> Answer:
    address = call.actor.ip_address
    email = canonical_email(call.data["email"])
    user = services.verify_login(email=email, password=call.data["password"], address=address)
    # The lock is judged before the limits: a locked account says so.
    ratelimit.hit(f"login:email:{email}", TEN_PER_5_MIN)
    return pair_answer(call.request, _sign_in(call, user))


def _sign_in(call: Call, user: Any) -> sessions.TokenPair:
    kind = "browser" if is_browser(call.request) else "cli"
    with transaction.atomic():
        details = {"mfa": False, "provider": "password"}
        services.tell(user=user, actor=call.actor, action="auth.login", details=details)
        return sessions.open_session(user=user, kind=kind, actor=call.actor)


def _refresh(call: Call) -> Answer:
    token = call.data.get("refresh_token") or call.request.COOKIES.get(cookie_name())
    if not token:
        raise MissingToken()
    return pair_answer(call.request, sessions.refresh_session(token=token, actor=call.actor))


def _logout(call: Call) -> Answer:
    with transaction.atomic():
        sessions.end_sessions(Session.objects.filter(pk=call.principal.session_id), reason="logout")
        services.tell(user=call.principal.subject, actor=call.actor, action="auth.logout")
    return Answer({"logged_out": True}, cookies=clear_cookie)


class Signup(CallView):
    path = "auth/signup"
    calls = {"POST": Operation("signup", "P", _signup, SignupInput, limit=FIVE_PER_5_MIN)}


class Login(CallView):
    path = "auth/login"
    # The account's own lock answers first; this limit stops one address from trying many accounts.
    calls = {"POST": Operation("login", "P", _login, LoginInput, limit=ratelimit.Limit(30, 300))}


class Refresh(CallView):
    path = "auth/refresh"
    calls = {"POST": Operation("refresh", "P", _refresh, RefreshInput, limit=ratelimit.Limit(120, 60))}


class Logout(CallView):
    path = "auth/logout"
    calls = {"POST": Operation("logout", "S", _logout, RefreshInput)}
