"""User tokens and API keys as credentials of the API."""

import hmac
import uuid
from datetime import UTC, datetime

from django.db.models import F
from django.utils import timezone

from apps.auth import keyring
from apps.auth.models import ApiKey, Session
from apps.auth.secrets import secret_hash
from apps.core.addresses import in_networks
from apps.core.api import signing
from apps.core.api.principals import Principal, register_credential
from apps.core.errors import Unauthorized

API_KEY_PREFIX = "qz-api-live-"
AUDIENCE = "quickztna-api"
TOKEN_TYPE = "at+jwt"
BAD_TOKEN = "Invalid or expired token"


def register() -> None:
    """Make both kinds known to the API."""
    signing.provide_keyring(signing.Keyring(keyring.current, keyring.public, keyring.introductions))
    register_credential("", user_principal)
    register_credential(API_KEY_PREFIX, api_key_principal)


def user_principal(credential: str, address: str | None) -> Principal:
    """The user of a signed access token whose session is alive."""
    claims = signing.verify(credential, audience=AUDIENCE, type_=TOKEN_TYPE)
    try:
        session_id, user_id = uuid.UUID(claims["sid"]), uuid.UUID(claims["sub"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise Unauthorized(BAD_TOKEN) from None
    session = (
        Session.objects.select_related("user")
        .filter(pk=session_id, user_id=user_id, ended_at=None, expires_at__gt=timezone.now())
        .first()
    )
    issued_at = datetime.fromtimestamp(claims["iat"], UTC)
    if session is None or not session.user.is_active:
        raise Unauthorized(BAD_TOKEN)
    # `iat` has whole seconds; a token made in the very second of the change belongs to the new state.
    if issued_at < session.user.sessions_valid_after.replace(microsecond=0):
        raise Unauthorized(BAD_TOKEN)
    return Principal(
        kind="user",
        subject=session.user,
        session_id=session.pk,
        stepped_up_until=session.stepped_up_until,
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )


def api_key_principal(credential: str, address: str | None) -> Principal:
    """The organisation's API key; each good use is counted."""
    digest = secret_hash(credential)
    now = timezone.now()
    key = ApiKey.all_orgs.filter(key_hash=digest).first()
    if key is None or not hmac.compare_digest(key.key_hash, digest):
        raise Unauthorized("Invalid or revoked API key")
    allowed = not key.allowed_cidrs or in_networks(address, key.allowed_cidrs)
    in_grace = key.grace_until is not None and key.grace_until > now
    if (key.revoked and not in_grace) or key.expires_at <= now or not allowed:
        raise Unauthorized("Invalid or revoked API key")
    ApiKey.objects.for_org(key.org_id).filter(pk=key.pk).update(
        usage_count=F("usage_count") + 1, last_used_at=now
    )
    return Principal(
        kind="api_key",
        subject=key,
        org_id=key.org_id,
        scopes=frozenset(key.scopes),
        expires_at=key.expires_at,
        rate_per_minute=key.rate_limit_rpm,
    )
