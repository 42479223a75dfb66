"""Builds in Django admin."""

from typing import Any

from django.contrib import admin
from unfold.admin import ModelAdmin

from apps.releases import services
from apps.releases.models import ClientVersion


@admin.register(ClientVersion)
class ClientVersionAdmin(ModelAdmin):
    list_display = ("version", "platform", "arch", "channel", "is_latest", "published_at")
    list_filter = ("platform", "arch", "channel", "is_latest")
    search_fields = ("version", "release_notes")
    readonly_fields = ("is_latest", "published_at")
    actions = ("publish",)

    @admin.action(description="Publish as the latest of its platform and channel")
    def publish(self, request: Any, queryset: Any) -> None:
        for build in queryset:
            services.publish(build)
        self.message_user(request, f"{len(queryset)} published")
