"""Organisations in the admin; taking groups of people apart runs the services."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from apps.core.admin import OrgModelAdmin, ReadOnlyAdmin, confirmed, operator, tell_done
from apps.orgs import idpgroups
from apps.orgs.models import (
    IdpGroup,
    IdpGroupMember,
    Organization,
    OrgInvitation,
    OrgMember,
    OrgSettings,
)


@admin.register(Organization)
class OrganizationAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "ipv6_prefix", "netmap_version", "suspended_at", "created_at")
    list_filter = ("lockdown_mode",)
    search_fields = ("name", "slug", "domain")


@admin.register(OrgSettings)
class OrgSettingsAdmin(OrgModelAdmin):
    list_display = ("org", "key_expiry_days", "approval_required", "default_deny", "pqc_policy")
    search_fields = ("org__name",)


@admin.register(OrgMember)
class OrgMemberAdmin(OrgModelAdmin):
    list_display = ("user", "org", "role", "status", "joined_at")
    list_filter = ("org", "role", "status")
    list_select_related = ("org", "user")
    search_fields = ("user__email",)


@admin.register(OrgInvitation)
class OrgInvitationAdmin(OrgModelAdmin):
    list_display = ("email", "org", "role", "status", "expires_at")
    list_filter = ("org", "status")
    search_fields = ("email",)
    exclude = ("token_hash",)


@admin.register(IdpGroup)
class IdpGroupAdmin(OrgModelAdmin):
    list_display = ("name", "org", "source", "external_id", "created_at")
    list_filter = ("org", "source")
    search_fields = ("name", "external_id")
    actions = ("remove",)

    @admin.action(description="Remove until their source tells of them again")
    def remove(self, request: HttpRequest, rows: Any) -> Any:
        if page := confirmed(self, request, rows, action="remove", question="Remove these groups"):
            return page
        for group in rows:
            idpgroups.remove_group(org=group.org_id, actor=operator(request), group_id=group.pk)
        tell_done(self, request, f"{len(rows)} groups removed")
        return None


@admin.register(IdpGroupMember)
class IdpGroupMemberAdmin(OrgModelAdmin):
    list_display = ("user", "group", "org", "created_at")
    list_filter = ("org", "group__source")
    list_select_related = ("org", "group", "user")
    search_fields = ("user__email", "group__name")
    actions = ("remove",)

    @admin.action(description="Take out until their source tells of them again")
    def remove(self, request: HttpRequest, rows: Any) -> Any:
        question = "Take these people out of the groups"
        if page := confirmed(self, request, rows, action="remove", question=question):
            return page
        for member in rows:
            idpgroups.remove_membership(org=member.org_id, actor=operator(request), member_id=member.pk)
        tell_done(self, request, f"{len(rows)} memberships ended")
        return None
