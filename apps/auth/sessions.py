"""Sign-in sessions: access tokens of an hour and single-use refresh tokens in families."""

import hashlib
import re
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.auth import signals
from apps.auth.credentials import AUDIENCE, TOKEN_TYPE
from apps.auth.errors import DeviceMismatch, InvalidToken
from apps.auth.models import RefreshToken, Session, User
from apps.auth.secrets import new_secret, secret_hash
from apps.core import sealing
from apps.core.actors import Actor
from apps.core.addresses import network_of
from apps.core.api import signing

ACCESS_SECONDS = 3600
REFRESH_LIFE = timedelta(days=30)
# Two tabs, or a lost answer, may show a spent token once more; within this they get its successor.
GRACE = timedelta(seconds=10)
SEALED_FOR = "refresh successors"


class TokenPair(NamedTuple):
    access: str
    refresh: str
    session: Session


def open_session(*, user: User, kind: str, actor: Actor, device: str = "") -> TokenPair:
    """Sign a proven user in; kind is browser, cli or device."""
    with transaction.atomic():
        session = Session.objects.create(
            user=user,
            kind=kind,
            device=device[:100],
            user_agent=actor.user_agent,
            ip=actor.ip_address or "",
            fingerprint=fingerprint(actor),
            expires_at=timezone.now() + REFRESH_LIFE,
        )
        refresh = new_secret("qz-refresh-")
        _store(session, refresh, generation=0)
    return TokenPair(access_token(session), refresh, session)


def access_token(session: Session) -> str:
    """A signed user token of one hour."""
    claims = {"sub": str(session.user_id), "email": session.user.email, "sid": str(session.pk)}
    return signing.sign(claims, audience=AUDIENCE, seconds=ACCESS_SECONDS, type_=TOKEN_TYPE)


def refresh_session(*, token: str, actor: Actor) -> TokenPair:
    """Exchange a refresh token for a new pair.

    A spent token ends the whole family, unless its successor was made within the grace seconds:
    then the same successor is answered. Raises InvalidToken, DeviceMismatch.
    """
    reused: Session | None = None
    with transaction.atomic():
        found = RefreshToken.objects.select_for_update().filter(token_hash=secret_hash(token)).first()
        if found is None:
            raise InvalidToken("Invalid or expired refresh token")
        session = Session.objects.select_related("user").get(pk=found.session_id)
        now = timezone.now()
        if session.ended_at or min(session.expires_at, found.expires_at) <= now or not session.user.is_active:
            raise InvalidToken("Invalid or expired refresh token")
        if session.fingerprint != fingerprint(actor):
            raise DeviceMismatch()
        if found.used_at is None:
            refresh = new_secret("qz-refresh-")
            found.used_at = now
            found.successor = sealing.seal_platform(SEALED_FOR, str(found.pk), refresh.encode())
            found.save(update_fields=["used_at", "successor"])
            _store(session, refresh, generation=found.generation + 1)
            session.last_used_at = now
            session.save(update_fields=["last_used_at"])
        elif now - found.used_at <= GRACE and found.successor:
            opened = sealing.open_platform(SEALED_FOR, str(found.pk), bytes(found.successor))
            refresh = opened.decode()
        else:
            reused = session
    if reused is not None:
        with transaction.atomic():
            end_sessions(Session.objects.filter(pk=reused.pk), reason="reuse_detected")
            signals.account_event.send(
                Session,
                user=reused.user,
                actor=actor,
                action="auth.refresh_reused",
                details={"session_id": reused.pk},
            )
        raise InvalidToken("Invalid or expired refresh token")
    return TokenPair(access_token(session), refresh, session)


def renew_session(*, session: Session) -> TokenPair:
    """A new pair for a session whose earlier tokens are void."""
    with transaction.atomic():
        last = RefreshToken.objects.filter(session=session).order_by("-generation").first()
        RefreshToken.objects.filter(session=session).delete()
        refresh = new_secret("qz-refresh-")
        _store(session, refresh, generation=last.generation + 1 if last else 0)
    return TokenPair(access_token(session), refresh, session)


def end_sessions(sessions: QuerySet[Session], *, reason: str) -> int:
    """End those that still live; their tokens fail and their sockets close. Returns how many."""
    ids = list(sessions.filter(ended_at=None).values_list("pk", flat=True))
    with transaction.atomic():
        Session.objects.filter(pk__in=ids).update(ended_at=timezone.now(), end_reason=reason)
        RefreshToken.objects.filter(session_id__in=ids).update(successor=None)
        for session_id in ids:
            signals.announce_session_end(session_id)
    return len(ids)


def fingerprint(actor: Actor) -> str:
    """Hash of the user agent's family and the client's network (IPv4 /24, IPv6 /48)."""
    family = re.split(r"[/\s(]", actor.user_agent, maxsplit=1)[0].lower()
    return hashlib.sha256(f"{family}|{network_of(actor.ip_address, 24, 48)}".encode()).hexdigest()


def _store(session: Session, token: str, *, generation: int) -> Any:
    return RefreshToken.objects.create(
        session=session,
        token_hash=secret_hash(token),
        generation=generation,
        expires_at=session.expires_at,
    )
