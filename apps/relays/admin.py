"""Regions in Django admin."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from apps.core.admin import OrgModelAdmin, ReadOnlyAdmin
from apps.relays.models import BuiltinRegion, DerpRegion, RelayCut, RelaySession

COLUMNS = ("region_code", "region_name", "hostname", "derp_port", "stun_port", "priority", "enabled")


@admin.register(BuiltinRegion)
class BuiltinRegionAdmin(ModelAdmin):
    list_display = COLUMNS
    list_filter = ("enabled",)
    search_fields = ("region_code", "region_name", "hostname")


@admin.register(DerpRegion)
class DerpRegionAdmin(OrgModelAdmin):
    list_display = ("org", *COLUMNS)
    list_filter = ("org", "enabled")
    list_select_related = ("org",)
    search_fields = ("region_code", "region_name", "hostname")


@admin.register(RelaySession)
class RelaySessionAdmin(OrgModelAdmin):
    list_display = ("org", "machine", "region_code", "public_ip", "status", "last_heartbeat")
    list_filter = ("org", "region_code", "status")
    list_select_related = ("org", "machine")
    search_fields = ("machine__name", "region_code", "public_ip")


@admin.register(RelayCut)
class RelayCutAdmin(ReadOnlyAdmin):
    list_display = ("digest", "not_before", "created_at")
    search_fields = ("digest",)
