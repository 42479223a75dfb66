"""The caller as its credential proves it, before any organisation is looked at.

An app that knows a kind of credential registers a function for its prefix; the token without a
registered prefix is a signed user token.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.core.actors import Actor
from apps.core.errors import Unauthorized


@dataclass(frozen=True)
class Principal:
    """kind is user, api_key, machine or relay; subject is the User, ApiKey, Machine or Reporter."""

    kind: str
    subject: Any
    org_id: uuid.UUID | None = None  # fixed by the credential (API key, machine)
    scopes: frozenset[str] = frozenset()
    session_id: uuid.UUID | None = None
    stepped_up_until: datetime | None = None
    expires_at: datetime | None = None
    rate_per_minute: int = 600
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> uuid.UUID:
        return self.subject.pk

    def actor(self, *, ip_address: str | None, user_agent: str, request_id: str, role: str | None) -> Actor:
        return Actor(
            kind=self.kind,
            id=self.id,
            name=getattr(self.subject, "full_name", None) or getattr(self.subject, "name", None) or "",
            email=getattr(self.subject, "email", ""),
            role=role,
            session_id=self.session_id,
            ip_address=ip_address,
            user_agent=user_agent[:200],
            request_id=request_id,
        )


# prefix -> (credential, client address) -> Principal; raises Unauthorized or a subclass
Authenticator = Callable[[str, str | None], Principal]
_authenticators: dict[str, Authenticator] = {}


def register_credential(prefix: str, authenticator: Authenticator) -> None:
    """Let `authenticator` judge credentials that begin with `prefix` ("" = all others)."""
    _authenticators[prefix] = authenticator


def authenticate(credential: str, address: str | None) -> Principal:
    """Principal of a credential from anywhere (header, subprotocol); raises Unauthorized."""
    for prefix, authenticator in _authenticators.items():
        if prefix and credential.startswith(prefix):
            return authenticator(credential, address)
    if "" not in _authenticators or len(credential) > 4096:
        raise Unauthorized("Invalid or expired token")
    return _authenticators[""](credential, address)


def credential_of(headers: Any) -> str | None:
    """The credential in a request's headers, or None; raises Unauthorized for another scheme."""
    if "X-Api-Key" in headers:
        if not headers["X-Api-Key"]:
            raise Unauthorized("Missing X-API-Key header")
        return headers["X-Api-Key"]
    value = headers.get("Authorization")
    if not value:
        return None
    scheme, _, credential = value.partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise Unauthorized("Invalid or expired token")
    return credential.strip()
