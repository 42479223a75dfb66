"""Every write to an organisation itself and to its settings."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.auth.models import User
from apps.core.actors import Actor
from apps.core.errors import Conflict, InvalidInput
from apps.core.realtime import publish
from apps.orgs import signals
from apps.orgs.models import Organization, OrgMember, OrgSettings

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED_SLUGS = frozenset({"www", "api", "admin", "relay", "derp", "stun", "mail", "localhost"})


def create_organization(*, user: User, actor: Actor, name: str, slug: str | None = None) -> Organization:
    """Make an organisation owned by `user`, with its settings and IPv6 prefix; raises Conflict."""
    if slug is not None and (not SLUG.fullmatch(slug) or slug in RESERVED_SLUGS):
        raise InvalidInput("slug: must be a DNS label that is not reserved", field="slug")
    with transaction.atomic():
        if slug is not None and Organization.objects.filter(slug=slug).exists():
            raise Conflict("This slug is taken", field="slug")
        org = Organization.objects.create(
            name=name, slug=slug or _free_slug(name), domain=None, ipv6_prefix=_new_prefix()
        )
        OrgSettings.objects.create_in(org)
        OrgMember.objects.create_in(org, user=user, role="owner", source="creator")
        record(org=org, actor=actor, action="org.created", resource=org, details={"name": name})
        signals.org_created.send(Organization, org=org, actor=actor)
    return org


def update_organization(*, org: Organization, actor: Actor, values: Mapping[str, Any]) -> Organization:
    """Change name or domain; the slug never changes."""
    with transaction.atomic():
        org = Organization.objects.for_org(org).select_for_update().get()
        before = {name: getattr(org, name) for name in values if getattr(org, name) != values[name]}
        if before:
            for name in before:
                setattr(org, name, values[name])
            org.save(update_fields=[*before, "updated_at"])
            after = {name: values[name] for name in before}
            record(
                org=org,
                actor=actor,
                action="org.updated",
                resource=org,
                details={"before": before, "after": after},
            )
            publish(
                org=org,
                channel="general",
                event="UPDATE",
                table="organizations",
                payload={"id": org.pk, **after},
            )
    return org


def set_lockdown(*, org: Organization, actor: Actor, locked: bool) -> Organization:
    """Deny everything in the whole organisation at once, or no longer; what is equal changes nothing."""
    with transaction.atomic():
        org = Organization.objects.for_org(org).select_for_update().get()
        if org.lockdown_mode == locked:
            return org
        org.lockdown_mode = locked
        org.save(update_fields=["lockdown_mode", "updated_at"])
        action = "org.locked_down" if locked else "org.lockdown_lifted"
        record(org=org, actor=actor, action=action, resource=org, details={"name": org.name})
        signals.lockdown_changed.send(Organization, org=org)
        payload = {"id": org.pk, "lockdown_mode": locked}
        publish(org=org, channel="general", event="UPDATE", table="organizations", payload=payload)
    return org


def update_settings(
    *, org: Organization, actor: Actor, values: Mapping[str, Any], action: str = "org.settings_updated"
) -> OrgSettings:
    """Change settings; equal values change nothing and leave no trace."""
    with transaction.atomic():
        settings = OrgSettings.objects.for_org(org).select_for_update().get()
        before = {name: getattr(settings, name) for name in values if getattr(settings, name) != values[name]}
        if before:
            for name in before:
                setattr(settings, name, values[name])
            settings.save(update_fields=[*before, "updated_at"])
            after = {name: values[name] for name in before}
            record(
                org=org,
                actor=actor,
                action=action,
                resource=org,
                details={"before": before, "after": after},
            )
            signals.settings_changed.send(OrgSettings, org=org, actor=actor, changed=frozenset(before))
            publish(
                org=org,
                channel="general",
                event="UPDATE",
                table="org_settings",
                payload={"id": settings.pk, **after},
            )
    return settings


def _free_slug(name: str) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50].strip("-") or "org"
    if base not in RESERVED_SLUGS and not Organization.objects.filter(slug=base).exists():
        return base
    return f"{base}-{secrets.token_hex(4)}"


def _new_prefix() -> str:
    """A random unique local /48 (RFC 4193)."""
    digits = secrets.token_hex(5)
    return f"fd{digits[:2]}:{digits[2:6]}:{digits[6:]}::/48"
