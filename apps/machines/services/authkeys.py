"""Auth keys: making, renaming and revoking them."""

import ipaddress
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.audit.services import record
from apps.auth.secrets import new_secret, secret_hash
from apps.core.actors import Actor
from apps.core.errors import InvalidInput, NotFound, ValidationFailed
from apps.core.realtime import publish
from apps.machines.changes import touch
from apps.machines.models import AuthKey, Machine
from apps.machines.names import parse_tags
from apps.machines.services.writing import settle, tell
from apps.machines.state import quarantine

PREFIX = "tskey-auth-"
DEFAULT_DAYS, MOST_DAYS = 90, 365
LEAST_SECONDS, MOST_SECONDS = 300, 2_592_000


def create_auth_key(
    *,
    org: Any,
    actor: Actor,
    name: str,
    description: str | None = None,
    reusable: bool = False,
    ephemeral: bool = False,
    pre_approved: bool = False,
    expiry_days: int | None = None,
    expires_in: int | None = None,
    tags: list[str] | None = None,
    allowed_tags: list[str] | None = None,
    allowed_cidrs: list[str] | None = None,
    max_uses: int | None = None,
) -> tuple[AuthKey, str]:
    """(row, key); raises InvalidInput, ValidationFailed for `expires_in` (seconds) out of bounds.

    `tags` without `allowed_tags` means both.
    """
    given = parse_tags(tags) if tags else None
    allowed = parse_tags(allowed_tags) if allowed_tags else given
    secret, now = new_secret(PREFIX), timezone.now()
    with transaction.atomic():
        key = AuthKey.objects.create_in(
            org,
            name=name,
            description=description,
            key_hash=secret_hash(secret),
            key_prefix=f"{secret[len(PREFIX) :][:8]}...",
            reusable=reusable,
            ephemeral=ephemeral,
            pre_approved=pre_approved,
            tags=given,
            allowed_tags=allowed,
            allowed_cidrs=_networks(allowed_cidrs),
            max_uses=max_uses,
            created_at=now,
            expires_at=now + _life(expiry_days, expires_in),
            created_by_id=actor.user_id,
        )
        _tell(key, "INSERT", name=name)
        details = {
            "name": name,
            "reusable": reusable,
            "ephemeral": ephemeral,
            "expiry_days": (key.expires_at - key.created_at).days,
            "allowed_tags": key.allowed_tags,
            "allowed_cidrs": key.allowed_cidrs,
        }
        record(org=org, actor=actor, action="auth_key.created", resource=key, details=details)
    return key, secret


def revoke_auth_key(*, org: Any, actor: Actor, key_id: Any, quarantine_machines: bool = True) -> int:
    """Revoke and quarantine what it enrolled; answers how many machines. Again: 0. Raises NotFound."""
    with transaction.atomic():
        key = _locked(org, key_id)
        if key.revoked:
            return 0
        key.revoked, key.revoked_at = True, timezone.now()
        key.save(update_fields=["revoked", "revoked_at"])
        stopped = quarantine_many(
            Machine.objects.for_org(org).filter(auth_key=key) if quarantine_machines else (),
            org=org,
            actor=actor,
            reason="key_revoked",
        )
        _tell(key, "UPDATE", revoked=True)
        details = {"name": key.name, "machines_quarantined": stopped}
        record(org=org, actor=actor, action="auth_key.revoked", resource=key, details=details)
    return stopped


def rename_auth_key(*, org: Any, actor: Actor, key_id: Any, name: str) -> None:
    """Change the name; raises NotFound."""
    with transaction.atomic():
        key = _locked(org, key_id)
        details = {"before": {"name": key.name}, "after": {"name": name}}
        key.name = name
        key.save(update_fields=["name"])
        _tell(key, "UPDATE", name=name)
        record(org=org, actor=actor, action="auth_key.updated", resource=key, details=details)


def quarantine_many(machines: Any, *, org: Any, actor: Actor, reason: str) -> int:
    """Quarantine machines that share a fate, as one version of the map; runs inside a transaction."""
    stopped = []
    for machine in machines.select_for_update().order_by("pk") if machines else ():
        if quarantine(machine, reason=reason, by_id=actor.user_id):
            settle(machine)
            machine.save()
            tell(machine, "UPDATE", quarantine_reason=reason)
            stopped.append(machine)
    if stopped:
        touch(org, changed=stopped)
        for machine in stopped:
            details = {"name": machine.name, "reason": reason}
            record(org=org, actor=actor, action="machine.quarantined", resource=machine, details=details)
    return len(stopped)


def _locked(org: Any, key_id: Any) -> AuthKey:
    key = AuthKey.objects.for_org(org).select_for_update().filter(pk=key_id).first()
    if key is None:
        raise NotFound()
    return key


def _life(expiry_days: int | None, expires_in: int | None) -> timedelta:
    if expires_in is not None:
        if not LEAST_SECONDS <= expires_in <= MOST_SECONDS:
            message = f"expires_in must be between {LEAST_SECONDS} and {MOST_SECONDS} seconds"
            raise ValidationFailed(message, details=[{"field": "expires_in", "problem": message}])
        return timedelta(seconds=expires_in)
    days = DEFAULT_DAYS if expiry_days is None else expiry_days
    if not 1 <= days <= MOST_DAYS:
        raise bad_days()
    return timedelta(days=days)


def bad_days() -> InvalidInput:
    """What is said to days that no key may live."""
    return InvalidInput(f"expiry_days must be an integer between 1 and {MOST_DAYS}", field="expiry_days")


def _networks(cidrs: list[str] | None) -> list[str] | None:
    try:
        return [str(ipaddress.ip_network(cidr)) for cidr in cidrs] if cidrs else None
    except ValueError:
        raise InvalidInput(
            "allowed_cidrs: each must be a network like 192.0.2.0/24", field="allowed_cidrs"
        ) from None


def _tell(key: AuthKey, event: str, **values: Any) -> None:
    publish(org=key.org_id, channel="keys", event=event, table="auth_keys", payload={"id": key.pk, **values})
