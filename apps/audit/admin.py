"""The trail, to be read only."""

from typing import Any

from django.contrib import admin

from apps.audit.actors import identity_of
from apps.audit.models import AuditActor, AuditHead, AuditLog
from apps.core.admin import OrgModelAdmin


@admin.register(AuditLog)
class AuditLogAdmin(OrgModelAdmin):
    list_display = ("created_at", "org", "action", "actor_name", "resource_type", "resource_id")
    list_filter = ("org", "resource_type", "actor_kind")
    list_select_related = ("org", "actor")
    search_fields = ("action", "resource_id", "request_id")
    date_hierarchy = "created_at"

    @admin.display(description="actor")
    def actor_name(self, row: AuditLog) -> str:
        identity = identity_of(row.actor)
        return identity["email"] or identity["name"] or row.actor_kind


@admin.register(AuditActor)
class AuditActorAdmin(OrgModelAdmin):
    list_display = ("shown_name", "kind", "org", "created_at")
    list_filter = ("org", "kind")
    search_fields = ("subject",)
    exclude = ("key", "identity")

    @admin.display(description="name")
    def shown_name(self, row: AuditActor) -> Any:
        identity = identity_of(row)
        return identity["email"] or identity["name"] or row.subject


@admin.register(AuditHead)
class AuditHeadAdmin(OrgModelAdmin):
    list_display = ("org", "seq", "hash")
    search_fields = ("org__name",)
