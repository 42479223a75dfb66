"""What every request passes before its view: identity of the request, headers, origin."""

import logging
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.core import errors
from apps.core.addresses import client_address, client_network
from apps.core.api.rendering import failure_response

access_log = logging.getLogger("quickztna.access")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LARGEST_BODY = 10 * 1024 * 1024
REFRESH_COOKIES = ("__Host-refresh_token", "refresh_token")

API_CSP = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
CONSOLE_CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self' {socket} http://127.0.0.1:*; font-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# The admin's components evaluate expressions in attributes (Alpine), which 'self' alone forbids.
ADMIN_CSP = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class RequestContext:
    """Gives the request an id and a client address; writes one log line for it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        request.request_id = uuid.uuid4().hex
        request.client_address = client_address(
            request.META.get("REMOTE_ADDR"), request.META.get("HTTP_X_FORWARDED_FOR")
        )
        request.client_network = client_network(request.client_address)
        response = self._checked(request)
        response["X-Request-Id"] = request.request_id
        access_log.info(
            "request",
            extra={
                "request_id": request.request_id,
                "method": request.method,
                "route": _route(request),
                "status": response.status_code,
                "ms": round((time.perf_counter() - started) * 1000, 1),
            },
        )
        return response

    def _checked(self, request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > LARGEST_BODY:
            return failure_response(errors.PayloadTooLarge())
        return self.get_response(request)


def _route(request: HttpRequest) -> str:
    """The pattern and not the path, which may hold a token."""
    match = getattr(request, "resolver_match", None)
    return match.route if match else "-"


class SecurityHeaders:
    """Headers that take powers away from whatever page we serve."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        socket = settings.PUBLIC_URL.replace("http", "ws", 1)
        self.console_csp = CONSOLE_CSP.format(socket=socket)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        headers = response.headers
        is_api = request.path.startswith("/api/")
        if is_api:
            csp = API_CSP
            headers.setdefault("Cache-Control", "no-store")
        else:
            csp = ADMIN_CSP if request.path.startswith("/admin") else self.console_csp
        headers.setdefault("Content-Security-Policy", csp)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
        if settings.HTTPS:
            headers.setdefault("Strict-Transport-Security", "max-age=63072000; includeSubDomains; preload")
        return response


class BrowserOrigin:
    """Refuses a state-changing API request that carries our cookie but comes from elsewhere."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/") and request.method not in SAFE_METHODS:
            has_cookie = any(name in request.COOKIES for name in REFRESH_COOKIES)
            if not origin_allowed(request.headers, request.get_host, required=has_cookie):
                return failure_response(errors.CsrfRejected())
        return self.get_response(request)


def origin_allowed(headers: Any, host: Callable[[], str], *, required: bool) -> bool:
    """Whether Sec-Fetch-Site or Origin names this site; without either, only if none is required.

    A foreign origin is refused even without a cookie: it could sign the visitor in as somebody else.
    """
    origin = headers.get("Origin")
    if origin is not None:
        return origin == settings.PUBLIC_URL or origin in (f"http://{host()}", f"https://{host()}")
    site = headers.get("Sec-Fetch-Site")
    return site in ("same-origin", "none") if site is not None else not required
