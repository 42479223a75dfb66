"""Signing a program in through the browser: one-time codes with PKCE, and device codes."""

import base64
import hashlib
import hmac
import secrets
import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.auth.errors import AuthorizationPending, InvalidToken, SlowDown
from apps.auth.models import OneTimeToken, User
from apps.auth.secrets import new_secret, secret_hash
from apps.auth.services import tell
from apps.auth.sessions import TokenPair, open_session
from apps.core import ratelimit
from apps.core.actors import Actor
from apps.core.errors import Forbidden, NotFound

CODE_SECONDS = 60
DEVICE_SECONDS = 600
POLL_SECONDS = 5
# No vowels and nothing that looks like something else: 20^8 codes.
USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


def issue_cli_code(
    *, user: User, actor: Actor, cli_state: str, code_challenge: str, org_id: uuid.UUID | None
) -> str:
    """A code that the program which knows the PKCE verifier may exchange within a minute."""
    code = new_secret()
    subject = {
        "user_id": str(user.pk),
        "org_id": str(org_id) if org_id else None,
        "state": secret_hash(cli_state),
        "challenge": code_challenge,
    }
    with transaction.atomic():
        _store("cli", code, subject, CODE_SECONDS)
        tell(user=user, actor=actor, action="auth.cli_authorized")
    return code


def exchange_cli_code(
    *, code: str, code_verifier: str, cli_state: str, actor: Actor
) -> tuple[TokenPair, str | None]:
    """(token pair, org_id) for a code; each code works once, and fails for good with a wrong verifier."""
    subject = _spend("cli", code)
    digest = hashlib.sha256(code_verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    fits = hmac.compare_digest(challenge, subject["challenge"].rstrip("="))
    if not fits or not hmac.compare_digest(secret_hash(cli_state), subject["state"]):
        raise InvalidToken()
    return _open(subject["user_id"], "cli", actor, "cli"), subject["org_id"]


def start_device(*, hostname: str, actor: Actor) -> dict[str, Any]:
    """Codes for a program that can't open a browser: device_code for it, user_code for the person."""
    device_code = new_secret()
    letters = "".join(secrets.choice(USER_CODE_LETTERS) for _ in range(8))
    user_code = f"{letters[:4]}-{letters[4:]}"
    subject = {
        "user_code": secret_hash(user_code),
        "hostname": hostname,
        "ip": actor.ip_address,
        "decision": None,
    }
    _store("device", device_code, subject, DEVICE_SECONDS)
    return {
        "device_code": device_code,
        "user_code": user_code,
        "expires_in": DEVICE_SECONDS,
        "interval": POLL_SECONDS,
    }


def poll_device(*, device_code: str, actor: Actor) -> TokenPair:
    """The pair once approved; raises AuthorizationPending, SlowDown, Forbidden (denied), InvalidToken."""
    digest = secret_hash(device_code)
    # One second of tolerance for programs that poll exactly at the interval.
    if ratelimit.wait_for(f"device:{digest}", ratelimit.Limit(1, POLL_SECONDS - 1)):
        raise SlowDown(retry_after=POLL_SECONDS)
    token = OneTimeToken.objects.filter(
        purpose="device", token_hash=digest, used_at=None, expires_at__gt=timezone.now()
    ).first()
    if token is None:
        raise InvalidToken()
    if token.subject["decision"] is None:
        raise AuthorizationPending()
    subject = _spend("device", device_code)
    if subject["decision"] != "approved":
        raise Forbidden("The sign-in was denied")
    return _open(subject["user_id"], "device", actor, subject["hostname"])


def find_device(*, user_code: str) -> OneTimeToken:
    """The undecided request of a user code; raises NotFound."""
    token = OneTimeToken.objects.filter(
        purpose="device",
        subject__user_code=secret_hash(_spelled(user_code)),
        subject__decision=None,
        used_at=None,
        expires_at__gt=timezone.now(),
    ).first()
    if token is None:
        raise NotFound("No sign-in waits for this code")
    return token


def decide_device(*, user_code: str, user: User, actor: Actor, approved: bool) -> None:
    """Approve or deny; raises NotFound."""
    with transaction.atomic():
        token = OneTimeToken.objects.select_for_update().get(pk=find_device(user_code=user_code).pk)
        if token.subject["decision"] is not None:
            raise NotFound("No sign-in waits for this code")
        decision = "approved" if approved else "denied"
        token.subject = {**token.subject, "decision": decision, "user_id": str(user.pk)}
        token.save(update_fields=["subject"])
        if approved:
            details = {"hostname": token.subject["hostname"]}
            tell(user=user, actor=actor, action="auth.device_authorized", details=details)


def _spelled(user_code: str) -> str:
    letters = "".join(char for char in user_code.upper() if char.isalpha())
    return f"{letters[:4]}-{letters[4:]}"


def _store(purpose: str, secret: str, subject: dict[str, Any], seconds: int) -> None:
    OneTimeToken.objects.create(
        purpose=purpose,
        token_hash=secret_hash(secret),
        subject=subject,
        expires_at=timezone.now() + timedelta(seconds=seconds),
    )


def _spend(purpose: str, secret: str) -> dict[str, Any]:
    """The subject of a live token, which is void from here on; raises InvalidToken."""
    live = OneTimeToken.objects.filter(
        purpose=purpose, token_hash=secret_hash(secret), used_at=None, expires_at__gt=timezone.now()
    )
    # The update is the lock: of two callers only one changes the row.
    if not live.update(used_at=timezone.now()):
        raise InvalidToken()
    return OneTimeToken.objects.get(token_hash=secret_hash(secret)).subject


def _open(user_id: str, kind: str, actor: Actor, device: str) -> TokenPair:
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise InvalidToken()
    with transaction.atomic():
        tell(user=user, actor=actor, action="auth.login", details={"provider": kind})
        return open_session(user=user, kind=kind, actor=actor, device=device)
