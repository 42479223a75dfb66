"""The tables machines and key_exchanges."""

from datetime import UTC, datetime
from typing import Any

from django.db.models import F, Q, QuerySet
from rest_framework import serializers

from apps.core.addresses import country_of
from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import Call
from apps.machines import presence
from apps.machines.api.fields import Flag, FlagsInput, tag_list
from apps.machines.models import FLAGS, KeyExchange, Machine
from apps.machines.names import magicdns_name
from apps.machines.services import edits, moves, routing
from apps.machines.services.removal import delete_machine
from apps.machines.verdicts import Verdict, verdicts_of

EDITED = ("name", "tags", "advertised_routes")


class MachineWrite(FlagsInput):
    """The columns that people may change."""

    name = serializers.CharField(max_length=2000, allow_blank=True, trim_whitespace=False, required=False)
    tags = tag_list(required=False)
    key_expiry_disabled = Flag(required=False)
    advertised_routes = serializers.JSONField(required=False)
    approved_routes = serializers.JSONField(required=False)
    exit_node_approved = Flag(required=False)


class MachinesTable(TableView):
    table, model, scope = "machines", Machine, "machines"
    columns = (
        *(Column(name) for name in ("id", "org_id", "os", "os_version_detail", "version", "owner_id")),
        Column("owner_email", source="owner__email"),
        *(Column(name) for name in ("auth_key_id", "ephemeral", "tailnet_ip", "tailnet_ipv6", "public_key")),
        *(Column(name) for name in ("mlkem_public_key", "identity_public_key", "disco_public_key")),
        *(Column(name) for name in ("key_created_at", "key_expired_at", "status", "last_seen")),
        *(Column(name, source=f"{name}_id") for name in ("approved_by", "quarantined_by")),
        *(Column(name) for name in ("approved_at", "admin_disabled", "disabled_by_admin")),
        *(Column(name) for name in ("quarantine_reason", "quarantine_note", "quarantined_at")),
        *(Column(name) for name in ("locked", "wiped_at", "endpoints", "derp_region")),
        *(Column(name) for name in ("derp_latencies", "client_connectivity", "created_at", "updated_at")),
        Column("magicdns_name", source="name", filterable=False),
        Column("posture_verdict", source="id", kind="text", filterable=False),
        Column("country", source="public_address", kind="text", filterable=False),
        Column("name", write="M"),
        *(Column(name, write="A") for name in ("tags", "key_expiry_disabled", "advertised_routes")),
        *(Column(name, write="A") for name in ("approved_routes", "exit_node_approved")),
        *(Column(name, write="M") for name in FLAGS),
        *(Column(name, kind="boolean") for name in ("subnet_router", "routes_pending")),
    )
    default_order = ("name",)
    read, update, delete_by = "M", "M", "A"
    instead = {"insert": "Use POST /api/register-machine or /api/client-setup"}
    serializer = MachineWrite

    def narrow(self, rows: QuerySet, call: Call) -> QuerySet:
        """With subnet_router: carries some network; routes_pending: an offer waits for an administrator."""
        waiting = ~Q(advertised_routes=F("approved_routes"))
        waiting |= Q(advertise_exit_node=True, exit_node_approved=False)
        return rows.annotate(subnet_router=~Q(approved_routes=[]), routes_pending=waiting)

    def decorate(self, rows: list[dict[str, Any]], call: Call) -> None:
        """Full names, verdicts, countries, and the newest sign of life, which rows learn of with a delay."""
        heard = {}
        if rows and "posture_verdict" in rows[0]:
            verdicts = verdicts_of(call.org.pk, [row["posture_verdict"] for row in rows])
            for row in rows:
                row["posture_verdict"] = verdicts.get(row["posture_verdict"], Verdict()).word
        if rows and {"id", "last_seen"} <= rows[0].keys():
            heard = presence.last_heard(row["id"] for row in rows)
        for row in rows:
            if "magicdns_name" in row:
                row["magicdns_name"] = magicdns_name(row["magicdns_name"], call.org.slug)
            if "country" in row:
                row["country"] = country_of(row["country"])
            if at := heard.get(row.get("id")):
                row["last_seen"] = max(row["last_seen"] or _moment(at), _moment(at))

    def update_row(self, call: Call, row: Machine, values: Any) -> None:
        same = {"org": call.org, "actor": call.actor, "machine_id": row.pk}
        if "key_expiry_disabled" in values:
            moves.set_key_expiry(**same, disabled=values["key_expiry_disabled"])
        edit = {name: values[name] for name in EDITED if name in values}
        if flags := {name: values[name] for name in FLAGS if name in values}:
            edit["flags"] = flags
        if edit:
            edits.update_machine(**same, **edit)
        if "approved_routes" in values:
            routing.set_approved_routes(**same, routes=values["approved_routes"])
        if values.get("exit_node_approved", row.exit_node_approved) != row.exit_node_approved:
            decide = routing.approve_exit_node if values["exit_node_approved"] else routing.reject_exit_node
            decide(**same)

    def delete_row(self, call: Call, row: Machine, *, force: bool) -> None:
        delete_machine(org=call.org, actor=call.actor, machine_id=row.pk)


class KeyExchangesTable(TableView):
    table, model, scope = "key_exchanges", KeyExchange, "machines"
    columns = (
        *(Column(name) for name in ("id", "org_id", "requester_machine_id", "responder_machine_id")),
        *(Column(name) for name in ("protocol", "status", "created_at", "completed_at", "expires_at")),
    )
    read = "M"


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
