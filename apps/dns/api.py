"""`POST /api/dns-management` and the tables dns_configs and dns_records."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import ActionView, Answer, Call, Operation
from apps.dns import services
from apps.dns.models import SERVER_TYPES, DnsConfig, DnsRecord
from apps.dns.resolve import machine_records, resolve
from apps.machines.names import domain_of
from apps.orgs.api.management import SettingsInput
from apps.orgs.models import OrgSettings
from wire.naming import RECORD_TYPES

NAMING = ("magic_dns_enabled", "search_domains", "override_local_dns")


class NamingInput(SettingsInput):
    class Meta(SettingsInput.Meta):
        fields = NAMING
        extra_kwargs = {name: {"required": False} for name in NAMING}


class NameserverInput(serializers.Serializer):
    # Addresses and domains are judged by the service, whose messages say more.
    nameserver = serializers.CharField(max_length=300)
    type = serializers.ChoiceField(SERVER_TYPES, required=False)
    domains = serializers.ListField(child=serializers.CharField(max_length=300), required=False)


class RecordInput(serializers.Serializer):
    name = serializers.CharField(max_length=300)
    type = serializers.ChoiceField(RECORD_TYPES, required=False, default="A")
    value = serializers.CharField(max_length=300)


class RecordWrite(RecordInput):
    machine_id = serializers.UUIDField(required=False, allow_null=True)


class NameserverIdInput(serializers.Serializer):
    nameserver_id = serializers.UUIDField()


class RecordIdInput(serializers.Serializer):
    record_id = serializers.UUIDField()


class ResolveInput(serializers.Serializer):
    hostname = serializers.CharField(max_length=300)
    type = serializers.ChoiceField(("A", "AAAA"), required=False, default="A")


def _get_settings(call: Call) -> dict[str, Any]:
    settings = OrgSettings.objects.for_org(call.org).get()
    domain = domain_of(call.org.slug)
    generated = machine_records(call.org) if settings.magic_dns_enabled else ()
    own = DnsRecord.objects.for_org(call.org).values_list("pk", "name", "type", "value")
    records = [(None, *record, "machine") for record in generated]
    records += [(*record, "custom") for record in own]
    return {
        "settings": {name: getattr(settings, name) for name in NAMING},
        "magic_dns": settings.magic_dns_enabled,
        "search_domain": domain,
        "domain": domain,
        "nameservers": [_server(row) for row in DnsConfig.objects.for_org(call.org)],
        "dns_records": [
            dict(zip(("id", "name", "type", "value", "source"), record, strict=True)) for record in records
        ],
    }


def _server(row: DnsConfig) -> dict[str, Any]:
    return {"id": row.pk, "nameserver": row.nameserver, "type": row.type, "domains": row.domains}


def _update_settings(call: Call) -> dict[str, Any]:
    services.update_settings(org=call.org, actor=call.actor, values=call.data)
    return {"updated": True}


def _add_nameserver(call: Call) -> Answer:
    return Answer(_server(services.add_nameserver(org=call.org, actor=call.actor, **call.data)), status=201)


def _remove_nameserver(call: Call) -> dict[str, Any]:
    services.remove_nameserver(org=call.org, actor=call.actor, **call.data)
    return {"deleted": call.data["nameserver_id"]}


def _add_record(call: Call) -> Answer:
    row = services.add_record(org=call.org, actor=call.actor, **call.data)
    data = {"id": row.pk, "name": row.name, "type": row.type, "value": row.value, "source": "custom"}
    return Answer(data, status=201)


def _remove_record(call: Call) -> dict[str, Any]:
    services.remove_record(org=call.org, actor=call.actor, **call.data)
    return {"deleted": call.data["record_id"]}


def _resolve(call: Call) -> dict[str, Any]:
    node_id = call.principal.subject.pk if call.principal.kind == "machine" else None
    hostname = call.data["hostname"]
    found = resolve(org=call.org, hostname=hostname, kind=call.data["type"], node_id=node_id)
    return {
        "hostname": hostname,
        "fqdn": found.fqdn,
        "ip": found.addresses[0] if found.addresses else None,
        "addresses": found.addresses,
        "source": found.source,
    }


class DnsManagement(ActionView):
    topic = "dns-management"
    retired = {"list_records": "get_settings"}
    actions = (
        Operation("get_settings", "M", _get_settings, scope="dns:read"),
        Operation("update_settings", "A", _update_settings, NamingInput, scope="dns:write"),
        Operation("add_nameserver", "A", _add_nameserver, NameserverInput, scope="dns:write"),
        Operation("remove_nameserver", "A", _remove_nameserver, NameserverIdInput, scope="dns:write"),
        Operation("add_record", "A", _add_record, RecordInput, scope="dns:write"),
        Operation("remove_record", "A", _remove_record, RecordIdInput, scope="dns:write"),
        Operation("resolve", "MN", _resolve, ResolveInput, scope="dns:read"),
    )


class DnsConfigsTable(TableView):
    table, model, scope = "dns_configs", DnsConfig, "dns"
    columns = (
        *(Column(name) for name in ("id", "org_id", "created_at")),
        *(Column(name, write="A") for name in ("nameserver", "type", "domains")),
    )
    read, insert, update, delete_by = "M", "A", "A", "A"
    serializer = NameserverInput

    def create_row(self, call: Call, values: Mapping[str, Any]) -> DnsConfig:
        return services.add_nameserver(org=call.org, actor=call.actor, **values)

    def update_row(self, call: Call, row: DnsConfig, values: Mapping[str, Any]) -> None:
        services.update_nameserver(org=call.org, actor=call.actor, nameserver_id=row.pk, values=values)

    def delete_row(self, call: Call, row: DnsConfig, *, force: bool) -> None:
        services.remove_nameserver(org=call.org, actor=call.actor, nameserver_id=row.pk)


class DnsRecordsTable(TableView):
    table, model, scope = "dns_records", DnsRecord, "dns"
    columns = (
        *(Column(name) for name in ("id", "org_id", "created_at")),
        *(Column(name, write="A") for name in ("name", "type", "value", "machine_id")),
    )
    default_order = ("name",)
    read, insert, update, delete_by = "M", "A", "A", "A"
    serializer = RecordWrite

    def create_row(self, call: Call, values: Mapping[str, Any]) -> DnsRecord:
        return services.add_record(org=call.org, actor=call.actor, **values)

    def update_row(self, call: Call, row: DnsRecord, values: Mapping[str, Any]) -> None:
        services.update_record(org=call.org, actor=call.actor, record_id=row.pk, values=values)

    def delete_row(self, call: Call, row: DnsRecord, *, force: bool) -> None:
        services.remove_record(org=call.org, actor=call.actor, record_id=row.pk)
