"""Flow logs in Django admin: to be read."""

from django.contrib import admin

from apps.core.admin import OrgModelAdmin
from apps.flows.models import FlowLog, FlowReport


@admin.register(FlowLog)
class FlowLogAdmin(OrgModelAdmin):
    list_display = ("at", "org", "machine", "source", "destination", "protocol", "port", "verdict", "bytes")
    list_filter = ("org", "verdict", "protocol")
    list_select_related = ("org", "machine")
    search_fields = ("machine__name", "source", "destination")
    show_full_result_count = False


@admin.register(FlowReport)
class FlowReportAdmin(OrgModelAdmin):
    list_display = ("created_at", "org", "machine", "began", "ended", "dropped")
    list_select_related = ("org", "machine")
    search_fields = ("machine__name",)
