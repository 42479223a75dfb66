"""Posture in Django admin."""

from django.contrib import admin

from apps.core.admin import OrgModelAdmin
from apps.posture.models import PostureHistory, PosturePolicy, PostureReport


@admin.register(PosturePolicy)
class PosturePolicyAdmin(OrgModelAdmin):
    list_display = ("name", "org", "on_fail", "grace_period_min", "enabled")
    list_filter = ("org", "on_fail", "enabled")
    search_fields = ("name",)


@admin.register(PostureReport)
class PostureReportAdmin(OrgModelAdmin):
    list_display = ("machine", "org", "compliant", "effect", "violations", "reported_at")
    list_filter = ("org", "compliant", "effect")
    list_select_related = ("org", "machine")
    search_fields = ("machine__name",)


@admin.register(PostureHistory)
class PostureHistoryAdmin(OrgModelAdmin):
    list_display = ("machine", "org", "compliant", "violations", "created_at")
    list_filter = ("org", "compliant")
    list_select_related = ("org", "machine")
    search_fields = ("machine__name",)
