"""`/api/derp-map`, `/api/derp-relay` and the table of an organisation's own regions."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from rest_framework import serializers

from apps.core.api import access
from apps.core.api.columns import Column
from apps.core.api.principals import authenticate, credential_of
from apps.core.api.tables import TableView
from apps.core.api.views import ActionView, Answer, Call, CallView, Operation, parse_id
from apps.core.errors import Forbidden, NotFound
from apps.core.ratelimit import Limit
from apps.machines.reports import parse_endpoints
from apps.machines.tokens import relay_token
from apps.relays import health, services
from apps.relays.cuts import signed_list
from apps.relays.discovery import direct_pairs, discover
from apps.relays.models import DerpRegion, RelaySession
from apps.relays.regions import regions_of, relay_map
from apps.relays.sessions import LIVE, live_sessions, take_report
from wire.netmap import RelayRegion
from wire.numbers import RELAY_TOKEN_SECONDS
from wire.relay import MAX_REPORTED, PROBE_PATH

MAX_SESSIONS = 500
MAX_COUNT = 2**63 - 1
DISCOVERIES = Limit(12, 60)


def _map(call: Call) -> Any:
    return _unless_known(call, relay_map(_asking_org(call)), {"Vary": "Authorization"})


def _cuts(call: Call) -> Any:
    version, signed = signed_list()
    return _unless_known(call, {"version": version, "signed": signed}, {"Cache-Control": "no-store"})


def _unless_known(call: Call, document: dict[str, Any], headers: dict[str, str]) -> Any:
    """304 where the caller has this version already (RFC 9110 section 13.1.2)."""
    etag = f'"{document["version"]}"'
    if call.request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304, headers={"ETag": etag})
    return Answer(document, headers={"ETag": etag, **headers})


def _asking_org(call: Call) -> Any:
    """The organisation whose own regions the caller may see; None for the public."""
    credential = credential_of(call.request.headers)
    if credential is None:
        return None
    principal = authenticate(credential, call.request._request.client_address)
    if principal.org_id is not None:
        return principal.org_id
    given = call.request.query_params.get("org_id")
    if not given:
        return None
    return access.org_access(principal, parse_id(given, "org_id")).org.pk


class DerpMap(CallView):
    path = "derp-map"
    calls = {"GET": Operation("derp-map", "P", _map)}


class DerpCuts(CallView):
    path = "derp-cuts"
    calls = {"GET": Operation("derp-cuts", "P", _cuts)}


def _health(call: Call) -> dict[str, Any]:
    regions = regions_of(None)
    found = health.probe_all(regions, private=True)
    lines = [
        {
            "code": region.region_code,
            "name": region.region_name,
            "healthy": found[region.region_code]["healthy"],
            "checked_at": found[region.region_code]["checked_at"],
        }
        for region in regions
    ]
    return {"status": health.judged(found)["status"], "regions": lines}


def _sessions(call: Call, regions: int) -> dict[str, Any]:
    """Who is connected, as the relays reported it, the latest first."""
    live = live_sessions(call.org)
    active = live.filter(status="active")
    shown = live.select_related("machine").order_by("-last_heartbeat", "pk")[:MAX_SESSIONS]
    return {
        "active_sessions": active.count(),
        "total_sessions": live.count(),
        "sessions": [
            {
                "machine_id": row.machine_id,
                "machine_name": row.machine.name,
                "tailnet_ip": row.machine.tailnet_ip,
                "region_code": row.region_code,
                "public_ip": row.public_ip,
                "status": row.status,
                "last_heartbeat": row.last_heartbeat,
            }
            for row in shown
        ],
        "stats": {
            "relay_regions": regions,
            "machines_using_relay": active.values("machine_id").distinct().count(),
            "direct_connections": direct_pairs(call.org),
        },
    }


def _org_health(call: Call) -> dict[str, Any]:
    regions = regions_of(call.org.pk)
    # Built-in ones are the operator's word and may lie in his network; an organisation's own may not.
    own = DerpRegion.objects.for_org(call.org).filter(enabled=True).exists()
    found = health.probe_all(regions, private=not own)
    shown = [_described(region) for region in regions]
    return {
        **health.judged(found),
        "derp_server": regions[0].hostname if regions else None,
        "region_health": [{**line, **found[line["region_code"]]} for line in shown],
        "regions": shown,
        **_sessions(call, len(shown)),
    }


def _described(region: RelayRegion) -> dict[str, Any]:
    return {
        "region_code": region.region_code,
        "region_name": region.region_name,
        "hostname": region.hostname,
        "stun_port": region.stun_port,
        "derp_port": region.derp_port,
        "stun_endpoint": f"{region.hostname}:{region.stun_port}",
        "derp_endpoint": f"https://{region.hostname}:{region.derp_port}{PROBE_PATH}",
    }


class DerpHealth(CallView):
    path = "derp-health"
    calls = {
        "GET": Operation("derp-health", "P", _health),
        "POST": Operation("derp-health-org", "M", _org_health, scope="machines:read"),
    }


MAX_PRIORITY = 100_000


class TokenInput(serializers.Serializer):
    region = serializers.CharField(max_length=16)


def _token(call: Call) -> dict[str, Any]:
    node = call.principal.subject
    regions = [region for region in regions_of(node.org_id) if region.region_code == call.data["region"]]
    if not regions:
        raise NotFound("Unknown region")
    token = relay_token(node, regions)
    if token is None:
        raise Forbidden("This machine may not connect")
    return {"relay_token": token, "expires_in": RELAY_TOKEN_SECONDS}


class DiscoverInput(serializers.Serializer):
    endpoints = serializers.ListField(child=serializers.CharField(max_length=60), required=False)
    public_endpoint = serializers.CharField(max_length=60, required=False, allow_null=True)


def _discover(call: Call) -> dict[str, Any]:
    given = [call.data["public_endpoint"]] if call.data.get("public_endpoint") else []
    endpoints = parse_endpoints([*given, *call.data.get("endpoints", [])])
    return {"endpoints": discover(call.principal.subject, endpoints or ())}


class SessionInput(serializers.Serializer):
    org_id = serializers.UUIDField()
    key = serializers.CharField(max_length=44)
    connection = serializers.RegexField(r"^[A-Za-z0-9-]{1,40}\Z")
    status = serializers.ChoiceField(("active", "ended"))
    issued_at = serializers.IntegerField(min_value=0, max_value=MAX_COUNT)
    public_ip = serializers.IPAddressField(required=False, allow_null=True)


class LoadInput(serializers.Serializer):
    """What a relay process counted since it started; clients and connections are those of now."""

    clients = serializers.IntegerField(min_value=0, max_value=MAX_COUNT)
    connections = serializers.IntegerField(min_value=0, max_value=MAX_COUNT)
    frames = serializers.IntegerField(min_value=0, max_value=MAX_COUNT)
    bytes = serializers.IntegerField(min_value=0, max_value=MAX_COUNT)
    dropped = serializers.IntegerField(min_value=0, max_value=MAX_COUNT)


class ReportInput(serializers.Serializer):
    region = serializers.CharField(max_length=16)
    process = serializers.RegexField(r"^[A-Za-z0-9]{1,20}\Z")
    sessions = serializers.ListField(child=SessionInput(), max_length=MAX_REPORTED)
    load = LoadInput()


def _report(call: Call) -> dict[str, Any]:
    given = call.data
    cut = take_report(
        call.principal.subject, given["region"], given["process"], given["sessions"], given["load"]
    )
    return {"cut": cut}


class KeyInput(serializers.Serializer):
    region_code = serializers.CharField(max_length=16)


def _report_key(call: Call) -> dict[str, Any]:
    code = call.data["region_code"]
    key = services.make_report_key(org=call.org, actor=call.actor, region_code=code)
    return {"region_code": code, "report_key": key}


class DerpRelay(ActionView):
    topic = "derp-relay"
    actions = (
        Operation("token", "N", _token, TokenInput),
        Operation("discover", "N", _discover, DiscoverInput, limit=DISCOVERIES),
        Operation("report", "R", _report, ReportInput),
        Operation("report_key", "A", _report_key, KeyInput),
    )


class RelaySessionsTable(TableView):
    table = "relay_sessions"
    model = RelaySession
    scope = "machines"
    columns = (
        *(Column(name) for name in ("id", "org_id", "machine_id", "region_code", "public_ip", "status")),
        *(Column(name) for name in ("last_heartbeat", "created_at")),
    )
    default_order = ("last_heartbeat.desc",)

    def narrow(self, rows: QuerySet, call: Call) -> QuerySet:
        """What is older has ended, whether or not the job has looked."""
        return rows.filter(last_heartbeat__gt=timezone.now() - LIVE)


class RegionWrite(serializers.ModelSerializer):
    class Meta:
        model = DerpRegion
        fields = (
            *("region_code", "region_name", "hostname", "ipv4", "ipv6"),
            *("stun_port", "derp_port", "priority", "enabled"),
        )
        # Without one of our own the bound is the database's, and the document would depend on it.
        extra_kwargs = {"priority": {"max_value": MAX_PRIORITY}}


class DerpRegionsTable(TableView):
    table = "derp_regions"
    model = DerpRegion
    scope = "settings"
    columns = (
        Column("id"),
        Column("org_id"),
        *(Column(name, write="A") for name in RegionWrite.Meta.fields),
        Column("created_at"),
    )
    default_order = ("priority",)
    read, insert, update, delete_by = "M", "A", "A", "A"
    serializer = RegionWrite

    def create_row(self, call: Call, values: Mapping[str, Any]) -> DerpRegion:
        return services.create_region(org=call.org, actor=call.actor, values=values)

    def update_row(self, call: Call, row: DerpRegion, values: Mapping[str, Any]) -> None:
        services.update_region(org=call.org, actor=call.actor, region_id=row.pk, values=values)

    def delete_row(self, call: Call, row: DerpRegion, *, force: bool) -> None:
        services.delete_region(org=call.org, actor=call.actor, region_id=row.pk)
