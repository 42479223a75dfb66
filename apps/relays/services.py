"""Writing regions: the built-in set as a whole, an organisation's own one by one."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.audit.services import record
from apps.auth.secrets import new_secret, secret_hash
from apps.core.actors import Actor
from apps.core.addresses import parse_address
from apps.core.domains import parse_domain
from apps.core.errors import InvalidInput, NotFound
from apps.core.realtime import publish
from apps.machines.changes import touch_everything
from apps.orgs.models import Organization
from apps.relays.models import BuiltinRegion, DerpRegion
from wire.relay import RELAY_KEY_PREFIX

# What a file of regions does not say.
UNSET = {"id", "created_at", "report_key_hash"}


def replace_builtin(entries: Sequence[Mapping[str, Any]]) -> int:
    """Make these the built-in regions, all or none; twice is as once. Returns how many changed.

    Raises ValidationError for an entry that is none.
    """
    names = {field.name for field in BuiltinRegion._meta.concrete_fields} - UNSET
    with transaction.atomic():
        before = {row.region_code: row for row in BuiltinRegion.objects.select_for_update()}
        changed = 0
        for entry in entries:
            if unknown := set(entry) - names:
                raise ValidationError(f"unknown field {sorted(unknown)[0]}")
            row = before.pop(entry.get("region_code", ""), None) or BuiltinRegion()
            if not row._state.adding and all(getattr(row, name) == value for name, value in entry.items()):
                continue
            for name, value in entry.items():
                setattr(row, name, value)
            row.full_clean()
            row.save()
            changed += 1
        for row in before.values():
            row.delete()
            changed += 1
        if changed:
            for org in Organization.objects.all():
                touch_everything(org)
    return changed


def create_region(*, org: Organization, actor: Actor, values: Mapping[str, Any]) -> DerpRegion:
    """Add a region of the organisation's own; raises InvalidInput for a host that is not public."""
    refuse_private_hosts(values)
    with transaction.atomic():
        region = DerpRegion.objects.create_in(org, **values)
        _announce(org, actor, "created", region, {"after": dict(values)})
    return region


def update_region(*, org: Organization, actor: Actor, region_id: Any, values: Mapping[str, Any]) -> None:
    """Change a region; raises NotFound, InvalidInput."""
    refuse_private_hosts(values)
    with transaction.atomic():
        region = _locked(org, region_id)
        before = {name: getattr(region, name) for name in values}
        for name, value in values.items():
            setattr(region, name, value)
        region.save(update_fields=list(values))
        _announce(org, actor, "updated", region, {"before": before, "after": dict(values)})


def delete_region(*, org: Organization, actor: Actor, region_id: Any) -> None:
    """Remove a region; raises NotFound."""
    with transaction.atomic():
        region = _locked(org, region_id)
        _announce(org, actor, "deleted", region, {"before": {"region_code": region.region_code}})
        region.delete()


def make_report_key(*, org: Organization | None, actor: Actor, region_code: str) -> str:
    """A new key for what the relays of a region report, in place of the old; shown once.

    org None: a built-in region. Raises NotFound.
    """
    key = new_secret(RELAY_KEY_PREFIX)
    with transaction.atomic():
        rows = BuiltinRegion.objects.all() if org is None else DerpRegion.objects.for_org(org)
        region = rows.select_for_update().filter(region_code=region_code).first()
        if region is None:
            raise NotFound("Unknown region")
        region.report_key_hash = secret_hash(key)
        region.save(update_fields=["report_key_hash"])
        if org is not None:
            record(org=org, actor=actor, action="relay_region.report_key_made", resource=region, details={})
    return key


def refuse_private_hosts(values: Mapping[str, Any]) -> None:
    """Raise InvalidInput for addresses that lie inside somebody's network: agents would call them."""
    for name in ("hostname", "ipv4", "ipv6"):
        try:
            address = ipaddress.ip_address(values.get(name) or "")
        except ValueError:
            continue
        if not address.is_global:
            raise InvalidInput("Relays need a public address", field=name)
    if (hostname := values.get("hostname")) and parse_address(hostname) is None:
        _check_name(hostname)


def _check_name(hostname: str) -> None:
    try:
        *_, last = parse_domain(hostname).split(".")
    except ValueError as flaw:
        raise InvalidInput(f"hostname: {flaw}", field="hostname") from None
    # Resolvers read 127.1 and 2130706433 as addresses.
    if last == "localhost" or last[0].isdigit():
        raise InvalidInput("Relays need a public address", field="hostname")


def _locked(org: Organization, region_id: Any) -> DerpRegion:
    region = DerpRegion.objects.for_org(org).select_for_update().filter(pk=region_id).first()
    if region is None:
        raise NotFound()
    return region


def _announce(
    org: Organization, actor: Actor, verb: str, region: DerpRegion, details: dict[str, Any]
) -> None:
    event = {"created": "INSERT", "updated": "UPDATE", "deleted": "DELETE"}[verb]
    payload = {"id": region.pk, "region_code": region.region_code}
    publish(org=org, channel="general", event=event, table="derp_regions", payload=payload)
    touch_everything(org)
    record(org=org, actor=actor, action=f"relay_region.{verb}", resource=region, details=details)
