"""Accounts: signing up and in, passwords, step-up."""

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.auth import lockout, signals
from apps.auth.errors import InvalidCredentials, InvalidPassword
from apps.auth.models import Session, User, canonical_email
from apps.auth.passwords import check_strength, password_fits, set_password
from apps.auth.sessions import TokenPair, end_sessions, renew_session
from apps.core.actors import Actor

STEP_UP = timedelta(minutes=5)


def sign_up(*, email: str, password: str, full_name: str = "") -> User | None:
    """Make an account; None if the address has one, after the same work. Raises InvalidInput."""
    # Without a configured mail server no mailbox can be proven, so none is asked for.
    user = User(email=canonical_email(email), full_name=full_name, email_verified=True)
    set_password(user, check_strength(password, user))
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        return None
    return user


def placeholder_id() -> uuid.UUID:
    """What a sign-up answers for an address that has an account."""
    return uuid.uuid4()


def verify_login(*, email: str, password: str, address: str | None) -> User:
    """The user who proved his password; raises InvalidCredentials, AccountLocked."""
    email = canonical_email(email)
    user = User.objects.filter(email=email).first()
    # Judged after the hash, so that a locked account takes as long as a wrong password.
    fits = password_fits(user, password)
    lockout.check_lock(email, address, user)
    if not fits or user is None or not user.is_active:
        lockout.count_failure(email, address)
        raise InvalidCredentials()
    lockout.forget_failures(email, address)
    return user


def tell(*, user: User, actor: Actor, action: str, details: Mapping[str, Any] | None = None) -> None:
    """Let the trail of each of the user's organisations know; runs inside a transaction."""
    signals.account_event.send(User, user=user, actor=actor, action=action, details=dict(details or {}))


def update_profile(*, user: User, actor: Actor, values: Mapping[str, Any]) -> User:
    """Change name, picture or language."""
    with transaction.atomic():
        changed = [name for name in values if getattr(user, name) != values[name]]
        for name in changed:
            setattr(user, name, values[name])
        if changed:
            user.save(update_fields=[*changed, "updated_at"])
            tell(user=user, actor=actor, action="user.updated", details={"changed": changed})
    return user


def change_password(*, session: Session, actor: Actor, current: str, new: str) -> TokenPair:
    """Set a new password; all other sessions end, this one gets a new pair. Raises InvalidPassword."""
    user = session.user
    if not password_fits(user, current):
        raise InvalidPassword()
    set_password(user, check_strength(new, user))
    user.sessions_valid_after = timezone.now()
    with transaction.atomic():
        user.save(update_fields=["password", "sessions_valid_after", "updated_at"])
        end_sessions(user.auth_sessions.exclude(pk=session.pk), reason="password_change")
        tell(user=user, actor=actor, action="auth.password_changed")
        return renew_session(session=session)


def step_up(*, session: Session, password: str) -> Session:
    """Prove the password once more for five minutes of dangerous acts; raises InvalidPassword."""
    if not password_fits(session.user, password):
        raise InvalidPassword()
    session.stepped_up_until = timezone.now() + STEP_UP
    session.save(update_fields=["stepped_up_until"])
    return session
