"""Organisations in the admin."""

from django.contrib import admin

from apps.core.admin import OrgModelAdmin, ReadOnlyAdmin
from apps.orgs.models import Organization, OrgInvitation, OrgMember, OrgSettings


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
