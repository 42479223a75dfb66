"""The upgrade of a browser's socket: origin, credential and organisation before it is accepted."""

import json
import uuid
from typing import Any
from urllib.parse import parse_qs

from channels.exceptions import StopConsumer
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from apps.core import tickets
from apps.core.addresses import socket_address
from apps.core.api import access
from apps.core.api.principals import Principal, authenticate
from apps.core.api.rendering import Failure, WireEncoder
from apps.core.errors import ApiError, CsrfRejected, InvalidInput, Unauthorized
from apps.core.middleware import origin_allowed

TOKEN_PREFIX = "access_token."


class Handshake:
    """What an upgrade request says."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self.headers = {name.decode().title(): value.decode("latin-1") for name, value in scope["headers"]}
        self.query = parse_qs(scope["query_string"].decode("latin-1"))
        self.offered: list[str] = scope.get("subprotocols") or []
        self.address = socket_address(scope)

    def principal(self, *, purpose: str) -> Principal:
        """The caller by ticket, subprotocol or header; raises Unauthorized, CsrfRejected."""
        # CORS does not cover sockets: a foreign page must not use what this browser holds.
        if not origin_allowed(self.headers, self._host, required=False):
            raise CsrfRejected()
        if ticket := self.query.get("ticket"):
            org_id = self.query.get("org_id", [""])[0].lower()
            return self.judge(tickets.redeem(ticket[0], org_id=org_id, purpose=purpose))
        offered = [name for name in self.offered if name.startswith(TOKEN_PREFIX)]
        if offered:
            return self.judge(offered[0].removeprefix(TOKEN_PREFIX))
        scheme, _, credential = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized()
        return self.judge(credential)

    def judge(self, credential: str) -> Principal:
        """A person or API key behind a credential; raises Unauthorized."""
        principal = authenticate(credential, self.address)
        if principal.kind == "machine" or principal.expires_at is None:
            raise Unauthorized("Invalid or expired token")
        return principal

    def org_access(self, principal: Principal) -> access.OrgAccess:
        """The organisation named in the query; raises Forbidden, InvalidInput."""
        try:
            org_id = uuid.UUID(self.query.get("org_id", [""])[0])
        except ValueError:
            raise InvalidInput("org_id: must be a UUID", field="org_id") from None
        org_access = access.org_access(principal, org_id)
        access.check_role(principal, org_access, "M", "machines:read")
        return org_access

    def chosen_subprotocol(self, ours: str) -> str | None:
        """Ours if it was offered, else the first; none if none was offered."""
        return ours if ours in self.offered else next(iter(self.offered), None)

    def _host(self) -> str:
        host = self.headers.get("Host", "")
        domain, _ = split_domain_port(host)
        return host if validate_host(domain, settings.ALLOWED_HOSTS) else ""


async def refuse(consumer: Any, error: ApiError) -> None:
    """Answer the upgrade with the error's status, where the server can, else close unaccepted."""
    if "websocket.http.response" not in (consumer.scope.get("extensions") or {}):
        await consumer.close({401: 4001, 403: 4003, 429: 1013}.get(error.status, 4004))
        return
    body = json.dumps(Failure(error), cls=WireEncoder).encode()
    headers = [(b"content-type", b"application/json")]
    if "retry_after" in error.extra:
        headers.append((b"retry-after", str(error.extra["retry_after"]).encode()))
    send = consumer.base_send
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
    raise StopConsumer()
