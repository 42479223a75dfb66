"""Tables: organizations, org_settings, org_members, org_invitations, idp_groups, idp_group_members."""

import uuid
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.api.columns import Column
from apps.core.api.tables import TableView
from apps.core.api.views import Call
from apps.orgs import invitations, members, services
from apps.orgs.api.management import OWNER_ONLY, SETTINGS, SettingsInput, checked_settings
from apps.orgs.dashboard import counters
from apps.orgs.models import (
    IdpGroup,
    IdpGroupMember,
    Organization,
    OrgInvitation,
    OrgMember,
    OrgSettings,
)
from apps.orgs.planning import asked_for


class OrganizationWrite(serializers.ModelSerializer):
    class Meta:
        model = Organization
        fields = ("name", "domain")


class OrganizationsTable(TableView):
    table = "organizations"
    model = Organization
    columns = (
        *(Column(name) for name in ("id", "slug", "lockdown_mode", "ipv6_prefix", "created_at")),
        Column("name", write="A"),
        Column("domain", write="A"),
    )
    default_order = ("name",)
    update = "A"
    serializer = OrganizationWrite
    instead = {"insert": "Use POST /api/org-management {action: create}"}

    @classmethod
    def org_id_of_row(cls, row_id: uuid.UUID) -> uuid.UUID | None:
        return row_id

    def decorate(self, rows: list[dict[str, Any]], call: Call) -> None:
        """With `_summary=true` also what is counted of it."""
        if call.request.query_params.get("_summary") == "true":
            for row in rows:
                row.update(counters(call))

    def update_row(self, call: Call, row: Organization, values: Mapping[str, Any]) -> None:
        services.update_organization(org=row, actor=call.actor, values=values)


class OrgSettingsTable(TableView):
    table = "org_settings"
    model = OrgSettings
    columns = (
        Column("id"),
        Column("org_id"),
        *(Column(name, write="O" if name in OWNER_ONLY else "A") for name in SETTINGS),
        Column("updated_at"),
        Column("created_at"),
    )
    update = "A"
    serializer = SettingsInput
    instead = {"insert": "Settings are made with the organisation"}

    def _update(self, call: Call) -> dict[str, int]:
        if asked_for(call.org):
            # Before the transaction of the write: the plan that becomes of it has to stay.
            columns = {name: value for name, value in call.data.items() if name in SETTINGS}
            checked_settings(call, self._values(call, columns, partial=True))
        return super()._update(call)

    def update_row(self, call: Call, row: OrgSettings, values: Mapping[str, Any]) -> None:
        services.update_settings(org=call.org, actor=call.actor, values=checked_settings(call, dict(values)))


class MemberWrite(serializers.Serializer):
    role = serializers.CharField(max_length=20)


class OrgMembersTable(TableView):
    table = "org_members"
    model = OrgMember
    columns = (
        *(Column(name) for name in ("id", "org_id", "user_id", "status", "source", "joined_at")),
        Column("role", write="A"),
        Column("created_at"),
    )
    default_order = ("joined_at",)
    update = "A"
    delete_by = "A"
    scope = "users"
    serializer = MemberWrite
    instead = {"insert": "Use POST /api/org-management {action: invite_member}"}

    def update_row(self, call: Call, row: OrgMember, values: Mapping[str, Any]) -> None:
        members.change_role(org=call.org, actor=call.actor, user_id=row.user_id, new_role=values["role"])

    def delete_row(self, call: Call, row: OrgMember, *, force: bool) -> None:
        members.remove_member(org=call.org, actor=call.actor, user_id=row.user_id)


class OrgInvitationsTable(TableView):
    table = "org_invitations"
    model = OrgInvitation
    columns = (
        *(Column(name) for name in ("id", "email", "role", "status", "expires_at", "sent_at")),
        *(Column(name) for name in ("invited_by_id", "accepted_by_id", "created_at")),
    )
    default_order = ("created_at",)
    read = "U"
    delete_by = "A"
    scope = "users"
    instead = {"insert": "Use POST /api/org-management {action: invite_member}"}

    def delete_row(self, call: Call, row: OrgInvitation, *, force: bool) -> None:
        invitations.revoke_invitation(org=call.org, actor=call.actor, invitation_id=row.pk)


TOLD_ELSEWHERE = dict.fromkeys(
    ("insert", "update", "delete"), "Groups of people are what the identity provider says"
)


class IdpGroupsTable(TableView):
    table = "idp_groups"
    model = IdpGroup
    columns = tuple(
        Column(name) for name in ("id", "org_id", "name", "source", "external_id", "created_at", "updated_at")
    )
    default_order = ("name",)
    scope = "acl"
    instead = TOLD_ELSEWHERE


class IdpGroupMembersTable(TableView):
    table = "idp_group_members"
    model = IdpGroupMember
    columns = tuple(Column(name) for name in ("id", "group_id", "user_id", "created_at"))
    scope = "acl"
    instead = TOLD_ELSEWHERE
