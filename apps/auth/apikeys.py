"""API keys of an organisation: made, rotated and revoked; the key itself is shown once."""

import ipaddress
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.services import record
from apps.auth.credentials import API_KEY_PREFIX
from apps.auth.errors import InvalidScopes
from apps.auth.models import ApiKey
from apps.auth.secrets import new_secret, secret_hash
from apps.core.actors import Actor
from apps.core.api.scopes import WORDS, unknown_scopes
from apps.core.errors import InvalidInput, NotFound
from apps.core.realtime import publish

DEFAULT_DAYS = 30
LONGEST_SUCCESSOR = timedelta(days=30)
TABLE = ApiKey._meta.db_table

_max_days: list[Callable[[Any], int]] = []


def provide_max_days(longest: Callable[[Any], int]) -> None:
    """Register who knows the organisation's `api_key_max_days`."""
    _max_days[:] = [longest]


def create_api_key(
    *,
    org: Any,
    actor: Actor,
    name: str,
    scopes: list[str],
    rate_limit_rpm: int = 60,
    expiry_days: int | None = None,
    allowed_cidrs: list[str] | None = None,
) -> tuple[ApiKey, str]:
    """(row, key); raises InvalidScopes, InvalidInput."""
    longest = _max_days[0](org)
    days = min(DEFAULT_DAYS, longest) if expiry_days is None else expiry_days
    if not 1 <= days <= longest:
        raise InvalidInput(
            f"expiry_days must be an integer between 1 and {longest} (zero standing privilege policy)",
            field="expiry_days",
        )
    if unknown := unknown_scopes(scopes):
        raise InvalidScopes(f"Invalid scopes: {', '.join(unknown)}. Valid: {', '.join(WORDS)}")
    now = timezone.now()
    with transaction.atomic():
        key, secret = _insert(
            org,
            name=name,
            scopes=scopes,
            rate_limit_rpm=rate_limit_rpm,
            allowed_cidrs=_networks(allowed_cidrs),
            created_at=now,
            expires_at=now + timedelta(days=days),
            created_by_id=actor.user_id,
        )
        details = {"name": name, "scopes": scopes, "expires_at": key.expires_at}
        record(org=org, actor=actor, action="api_key.created", resource=key, details=details)
    return key, secret


def rotate_api_key(*, org: Any, actor: Actor, key_id: Any, grace_hours: int = 0) -> tuple[ApiKey, str]:
    """(successor, key): same name, scopes, rate and networks; raises NotFound.

    Of two rotations at once one finds the key already revoked.
    """
    with transaction.atomic():
        now = timezone.now()
        old = ApiKey.objects.for_org(org).select_for_update().filter(pk=key_id, revoked=False).first()
        if old is None or old.expires_at <= now:
            raise NotFound("API key not found or already revoked")
        term = min(old.expires_at - old.created_at, LONGEST_SUCCESSOR)
        _revoke(old, grace_until=now + timedelta(hours=grace_hours) if grace_hours else None)
        key, secret = _insert(
            org,
            name=old.name,
            scopes=old.scopes,
            rate_limit_rpm=old.rate_limit_rpm,
            allowed_cidrs=old.allowed_cidrs,
            created_at=now,
            expires_at=now + term,
            rotated_from=old,
            created_by_id=actor.user_id,
        )
        details = {"name": old.name, "rotated_from": old.pk}
        record(org=org, actor=actor, action="api_key.rotated", resource=key, details=details)
    return key, secret


def revoke_api_key(*, org: Any, actor: Actor, key_id: Any) -> None:
    """Revoke, also a rotated key in its grace; again changes nothing. Raises NotFound."""
    with transaction.atomic():
        key = ApiKey.objects.for_org(org).select_for_update().filter(pk=key_id).first()
        if key is None:
            raise NotFound()
        if not key.revoked or key.grace_until:
            _revoke(key, grace_until=None)
            record(org=org, actor=actor, action="api_key.revoked", resource=key, details={"name": key.name})


def rename_api_key(*, org: Any, actor: Actor, key_id: Any, name: str) -> None:
    """Change the name; raises NotFound."""
    with transaction.atomic():
        key = ApiKey.objects.for_org(org).select_for_update().filter(pk=key_id).first()
        if key is None:
            raise NotFound()
        details = {"before": {"name": key.name}, "after": {"name": name}}
        key.name = name
        key.save(update_fields=["name"])
        record(org=org, actor=actor, action="api_key.updated", resource=key, details=details)
        _tell(key, "UPDATE", name=name)


def _insert(org: Any, **values: Any) -> tuple[ApiKey, str]:
    secret = new_secret(API_KEY_PREFIX)
    key = ApiKey.objects.create_in(
        org,
        key_hash=secret_hash(secret),
        key_prefix=f"{secret[: len(API_KEY_PREFIX) + 8]}...",
        **values,
    )
    _tell(key, "INSERT", name=key.name)
    return key, secret


def _revoke(key: ApiKey, *, grace_until: Any) -> None:
    key.revoked, key.revoked_at, key.grace_until = True, key.revoked_at or timezone.now(), grace_until
    key.save(update_fields=["revoked", "revoked_at", "grace_until"])
    _tell(key, "UPDATE", revoked=True)


def _tell(key: ApiKey, event: str, **values: Any) -> None:
    publish(org=key.org_id, channel="keys", event=event, table=TABLE, payload={"id": key.pk, **values})


def _networks(cidrs: list[str] | None) -> list[str] | None:
    try:
        return [str(ipaddress.ip_network(cidr)) for cidr in cidrs] if cidrs else None
    except ValueError:
        raise InvalidInput("allowed_cidrs: each must be a network like 192.0.2.0/24") from None
