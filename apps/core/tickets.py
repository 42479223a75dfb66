"""Tickets: a credential for one socket within thirty seconds, the only one allowed in an address."""

import hashlib
import secrets
from typing import Any

from django.core.cache import cache

from apps.core import sealing
from apps.core.errors import Unauthorized

LIFE_SECONDS = 30


def issue(credential: str, *, org_id: Any, purpose: str) -> str:
    """A ticket that stands for the caller's credential, for one organisation and purpose."""
    ticket = secrets.token_urlsafe(32)
    sealed = sealing.seal_platform("tickets", _place(ticket, org_id, purpose), credential.encode())
    cache.set(_key(ticket), sealed, timeout=LIFE_SECONDS)
    return ticket


def redeem(ticket: str, *, org_id: Any, purpose: str) -> str:
    """The credential a ticket stands for; it works once. Raises Unauthorized."""
    sealed = cache.get(_key(ticket))
    # Of two sockets with one ticket only the one that removes it gets in.
    if sealed is None or not cache.delete(_key(ticket)):
        raise Unauthorized("Invalid or expired ticket")
    try:
        return sealing.open_platform("tickets", _place(ticket, org_id, purpose), sealed).decode()
    except sealing.SealBrokenError:
        raise Unauthorized("Invalid or expired ticket") from None


def _key(ticket: str) -> str:
    return f"ticket:{hashlib.sha256(ticket.encode()).hexdigest()}"


def _place(ticket: str, org_id: Any, purpose: str) -> str:
    return f"{_key(ticket)}:{org_id}:{purpose}"
