"""Writing nameservers, records and settings of naming."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from apps.audit.services import record
from apps.core.actors import Actor
from apps.core.errors import Conflict, InvalidInput, NotFound
from apps.core.realtime import publish
from apps.dns.models import DnsConfig, DnsRecord
from apps.dns.parsing import parse_record_name, parse_server, parse_split, parse_value
from apps.machines.changes import touch_everything
from apps.machines.models import Machine
from apps.machines.names import domain_of
from apps.orgs import services as orgs
from apps.orgs.models import Organization

MAX_SERVERS = 50
MAX_RECORDS = 1000  # each machine is told all of them
EVENTS = {"added": "INSERT", "updated": "UPDATE", "removed": "DELETE"}
SHOWN = {
    DnsConfig: ("nameserver", ("nameserver", "type", "domains")),
    DnsRecord: ("record", ("name", "type", "value", "machine_id")),
}


def update_settings(*, org: Organization, actor: Actor, values: Mapping[str, Any]) -> None:
    """Change magic_dns_enabled, search_domains, override_local_dns; raises InvalidInput without one."""
    if not values:
        raise InvalidInput("At least one setting must be provided")
    orgs.update_settings(org=org, actor=actor, values=values, action="dns.settings_updated")


def add_nameserver(
    *, org: Organization, actor: Actor, nameserver: str, type: str = "global", domains: Iterable[str] = ()
) -> DnsConfig:
    """Add one; raises InvalidInput, Conflict."""
    with transaction.atomic():
        org = _locked(org)
        row = DnsConfig(org_id=org.pk, nameserver=nameserver, type=type, domains=list(domains))
        _check_server(row, org)
        return _save(row, actor, "added")


def update_nameserver(
    *, org: Organization, actor: Actor, nameserver_id: Any, values: Mapping[str, Any]
) -> None:
    """Change nameserver, type or domains; raises NotFound, InvalidInput, Conflict."""
    with transaction.atomic():
        org = _locked(org)
        row = _changed(DnsConfig, org, nameserver_id, values)
        _check_server(row, org)
        _save(row, actor, "updated")


def remove_nameserver(*, org: Organization, actor: Actor, nameserver_id: Any) -> None:
    """Take one away; raises NotFound."""
    _remove(DnsConfig, org, actor, nameserver_id)


def add_record(
    *, org: Organization, actor: Actor, name: str, type: str, value: str, machine_id: Any = None
) -> DnsRecord:
    """Add a record; machine_id: it goes with that machine. Raises InvalidInput, Conflict, NotFound."""
    with transaction.atomic():
        org = _locked(org, machine_id)
        row = DnsRecord(org_id=org.pk, name=name, type=type, value=value, machine_id=machine_id)
        _check_record(row, org)
        return _save(row, actor, "added")


def update_record(*, org: Organization, actor: Actor, record_id: Any, values: Mapping[str, Any]) -> None:
    """Change a record; raises NotFound, InvalidInput, Conflict."""
    with transaction.atomic():
        org = _locked(org, values.get("machine_id"))
        row = _changed(DnsRecord, org, record_id, values)
        _check_record(row, org)
        _save(row, actor, "updated")


def remove_record(*, org: Organization, actor: Actor, record_id: Any) -> None:
    """Take one away; raises NotFound."""
    _remove(DnsRecord, org, actor, record_id)


def _locked(org: Organization, machine_id: Any = None) -> Organization:
    """The organisation, so that its names are judged one write at a time; a machine is locked before it."""
    if machine_id is not None and Machine.objects.for_org(org).locked_row(machine_id) is None:
        raise NotFound()
    return Organization.objects.for_org(org).select_for_update().get()


def _changed(model: Any, org: Organization, row_id: Any, values: Mapping[str, Any]) -> Any:
    row = model.objects.for_org(org).filter(pk=row_id).first()
    if row is None:
        raise NotFound()
    for name, value in values.items():
        setattr(row, name, value)
    return row


def _check_server(row: DnsConfig, org: Organization) -> None:
    row.nameserver = parse_server(row.nameserver)
    if row.type == "split":
        row.domains = parse_split(row.domains, own_domain=domain_of(org.slug))
    elif row.domains:
        raise InvalidInput("domains: only a split nameserver has domains", field="domains")
    others = DnsConfig.objects.for_org(org).exclude(pk=row.pk)
    if others.count() >= MAX_SERVERS:
        raise InvalidInput(f"nameserver: at most {MAX_SERVERS}", field="nameserver")
    for other in others.filter(nameserver=row.nameserver, type=row.type):
        if row.type == "global" or set(row.domains) & set(other.domains):
            raise Conflict("This nameserver is already there", field="nameserver")


def _check_record(row: DnsRecord, org: Organization) -> None:
    domain = domain_of(org.slug)
    row.name = parse_record_name(row.name, domain=domain)
    row.value = parse_value(row.type, row.value, name=row.name, domain=domain)
    label = row.name.removesuffix(f".{domain}")
    if Machine.objects.for_org(org).filter(name__iexact=label).exists():
        raise Conflict("A machine has this name", field="name")
    others = DnsRecord.objects.for_org(org).exclude(pk=row.pk)
    if others.count() >= MAX_RECORDS:
        raise InvalidInput(f"name: at most {MAX_RECORDS} records", field="name")
    beside = list(others.filter(name=row.name).values_list("type", "value"))
    if (row.type, row.value) in beside:
        raise Conflict("This record is already there", field="name")
    # A name that is an alias has no other data (RFC 1034 3.6.2).
    if beside and "CNAME" in (row.type, *(kind for kind, _ in beside)):
        raise Conflict("A CNAME stands alone at its name", field="name")


def _save(row: Any, actor: Actor, verb: str) -> Any:
    row.save(force_insert=verb == "added")
    _announce(row, row.pk, actor, verb)
    return row


def _remove(model: Any, org: Organization, actor: Actor, row_id: Any) -> None:
    with transaction.atomic():
        row = _changed(model, _locked(org), row_id, {})
        row.delete()
        _announce(row, row_id, actor, "removed")


def _announce(row: Any, row_id: Any, actor: Actor, verb: str) -> None:
    noun, names = SHOWN[type(row)]
    details = {name: getattr(row, name) for name in names}
    payload = {"id": row_id, **details}
    publish(org=row.org_id, channel="dns", event=EVENTS[verb], table=row._meta.db_table, payload=payload)
    touch_everything(row.org_id)
    action = f"dns.{noun}_{verb}"
    record(org=row.org_id, actor=actor, action=action, resource_id=row_id, details=details)
