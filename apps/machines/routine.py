"""The heartbeat that changes nothing, answered before Django: most requests of a fleet are this one.

    application = RoutineHeartbeats(get_wsgi_application())

It judges the node key, the rate limit and the report by the same functions as the view, and answers
only `same`. Whatever is not routine (news, a goodbye, an unknown or dead key, a limit reached, bad
input, a failing cache) goes through the whole pipeline, which alone refuses and alone writes.
"""

import io
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from django.utils import timezone
from redis.exceptions import RedisError

from apps.auth.secrets import secret_hash
from apps.core.addresses import client_address
from apps.core.clock import rfc3339
from apps.core.errors import InvalidInput
from apps.core.ratelimit import Limit
from apps.machines.changes import recent_version
from apps.machines.nodes import NODE_KEY_PREFIX, REQUESTS_PER_MINUTE, Node, known_node
from apps.machines.reports import parse_report
from apps.machines.services.heartbeat import Report, is_news, note_presence

PATHS = frozenset({"/api/machine-heartbeat", "/api/machine-heartbeat/"})
# A browser, a repeated call and an encoded body are for the pipeline to judge.
UNUSUAL = ("HTTP_COOKIE", "HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE", "HTTP_IDEMPOTENCY_KEY", "HTTP_X_API_KEY")
LARGEST_ROUTINE = 64 * 1024
LIMIT = Limit(REQUESTS_PER_MINUTE, 60)
HEADERS = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]
access_log = logging.getLogger("quickztna.access")


class RoutineHeartbeats:
    """WSGI middleware around the whole control plane."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in PATHS or environ["REQUEST_METHOD"] != "POST":
            return self._application(environ, start_response)
        answer = _routine_answer(environ)
        if answer is None:
            return self._application(environ, start_response)
        body = json.dumps({"success": True, "data": answer, "error": None}, separators=(",", ":")).encode()
        request_id = uuid.uuid4().hex
        # Thousands a minute say nothing to a reader of the log; whoever looks for one asks for debug.
        access_log.debug("routine heartbeat", extra={"request_id": request_id, "status": 200})
        start_response(
            "200 OK",
            [*HEADERS, ("Content-Length", str(len(body))), ("X-Request-Id", request_id)],
        )
        return [body]


def _routine_answer(environ: Environ) -> dict[str, Any] | None:
    """`same`, or None where the pipeline has to judge; the body can then be read once more."""
    scheme, _, credential = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    length = environ.get("CONTENT_LENGTH") or ""
    if (
        scheme.lower() != "bearer"
        or not credential.startswith(NODE_KEY_PREFIX)
        or environ.get("CONTENT_TYPE", "application/json") != "application/json"
        or not length.isdecimal()
        or int(length) > LARGEST_ROUTINE
        or any(name in environ for name in UNUSUAL)
    ):
        return None
    address = client_address(environ.get("REMOTE_ADDR"), environ.get("HTTP_X_FORWARDED_FOR"))
    raw = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(raw)
    try:
        body = json.loads(raw)
        report = parse_report(body, address=address) if isinstance(body, dict) else None
        node = known_node(secret_hash(credential))
        if report is None or node is None or not _is_routine(node, report):
            return None
        if note_presence(node, report, limit=LIMIT):
            return None
    except (ValueError, RecursionError, InvalidInput, RedisError, OSError):
        return None
    return {
        "status": node.status,
        "same": True,
        "netmap_version": report.netmap_version,
        "server_time": rfc3339(timezone.now()),
    }


def _is_routine(node: Node, report: Report) -> bool:
    expired = node.key_expires_at is not None and node.key_expires_at <= time.time()
    return (
        node.status == "online"
        and not (expired or report.leaving or node.admin_disabled or node.locked)
        and report.netmap_version is not None
        and report.netmap_version == recent_version(node.org_id)
        and not is_news(node, report)
    )
