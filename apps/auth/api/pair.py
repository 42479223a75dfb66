"""The token pair as browsers and programs get it."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from rest_framework.request import Request

from apps.auth.sessions import ACCESS_SECONDS, REFRESH_LIFE, TokenPair
from apps.core.api.views import Answer


def is_browser(request: Request) -> bool:
    """Only browsers send these; they get the refresh token where scripts can't read it."""
    return "Origin" in request.headers or "Sec-Fetch-Site" in request.headers


def cookie_name() -> str:
    return "__Host-refresh_token" if _secure() else "refresh_token"


def pair_data(request: Request, pair: TokenPair) -> dict[str, Any]:
    """Fields of a token pair."""
    user = pair.session.user
    return {
        "user_id": user.pk,
        "email": user.email,
        "user": {"id": user.pk, "email": user.email, "name": user.full_name},
        "token": pair.access,
        "access_token": pair.access,
        "refresh_token": None if is_browser(request) else pair.refresh,
        "expires_in": ACCESS_SECONDS,
        "token_type": "Bearer",
    }


def pair_answer(request: Request, pair: TokenPair, *, status: int = 200, **more: Any) -> Answer:
    """The pair, its refresh token as a cookie for browsers."""

    def set_cookie(response: Any) -> None:
        response.set_cookie(
            cookie_name(),
            pair.refresh,
            max_age=int(REFRESH_LIFE.total_seconds()),
            path="/",
            secure=_secure(),
            httponly=True,
            samesite="Strict",
        )

    cookies = set_cookie if is_browser(request) else None
    return Answer({**pair_data(request, pair), **more}, status=status, cookies=cookies)


def clear_cookie(response: Any) -> None:
    response.set_cookie(
        cookie_name(), "", max_age=0, path="/", secure=_secure(), httponly=True, samesite="Strict"
    )


def _secure() -> bool:
    """Browsers keep Secure cookies from https, and from plain http on loopback only."""
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    if settings.HTTPS or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
