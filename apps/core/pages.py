"""Documents at fixed addresses: the console, metrics, well-known files, errors outside the API."""

import hmac
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from apps.core import errors
from apps.core.addresses import parse_address
from apps.core.api.rendering import failure_response
from apps.core.api.signing import key_set

RESERVED = ("api", "admin", "static", "assets", ".well-known", "metrics")
SECURITY_TXT = "Contact: mailto:security@{host}\nExpires: 2027-11-30T00:00:00Z\nPreferred-Languages: en\n"


@csrf_exempt
def unknown_call(request: HttpRequest) -> HttpResponse:
    """Any path below /api/ that nothing declares."""
    return failure_response(errors.NotFound())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return failure_response(errors.NotFound())
    return HttpResponse("Not found\n", status=404, content_type="text/plain")


def server_error(request: HttpRequest) -> HttpResponse:
    return failure_response(errors.InternalError(request_id=getattr(request, "request_id", "")))


def console(request: HttpRequest, page: str) -> HttpResponse:
    """The console's page for every address that is its own router's."""
    if request.method not in ("GET", "HEAD"):
        return failure_response(errors.MethodNotAllowed())
    index = Path(settings.CONSOLE_DIR) / "index.html"
    if page.partition("/")[0] in RESERVED or not index.is_file():
        return HttpResponse("Not found\n", status=404, content_type="text/plain")
    response = HttpResponse(index.read_bytes(), content_type="text/html; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text, for loopback or the bearer of the metrics token."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    token = settings.METRICS_TOKEN
    by_token = bool(token) and hmac.compare_digest(given.encode(), token.encode())
    # Behind a proxy on this host every request comes from loopback; its header tells.
    peer = parse_address(request.META.get("REMOTE_ADDR"))
    local = "X-Forwarded-For" not in request.headers and bool(peer and peer.is_loopback)
    if not (by_token or local):
        return failure_response(errors.Unauthorized())
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


def jwks(request: HttpRequest) -> HttpResponse:
    """Public halves of the signing keys, bare."""
    response = JsonResponse(key_set())
    response["Cache-Control"] = "public, max-age=300"
    return response


def security_txt(request: HttpRequest) -> HttpResponse:
    host = request.get_host().partition(":")[0]
    return HttpResponse(SECURITY_TXT.format(host=host), content_type="text/plain; charset=utf-8")
