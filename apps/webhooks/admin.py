"""Webhooks in Django admin, to be read: without addresses, which may hold tokens, and without bodies."""

from django.contrib import admin

from apps.core.admin import OrgModelAdmin
from apps.webhooks.models import Webhook, WebhookDelivery
from apps.webhooks.targets import host_of


@admin.register(Webhook)
class WebhookAdmin(OrgModelAdmin):
    list_display = ("host", "org", "enabled", "last_ok", "last_attempt_at", "failing_since")
    list_filter = ("org", "enabled", "last_ok")
    search_fields = ("org__name",)
    exclude = ("secret", "url")
    readonly_fields = ("host",)

    @admin.display(description="Host")
    def host(self, row: Webhook) -> str:
        return host_of(row.url)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(OrgModelAdmin):
    list_display = ("created_at", "org", "event", "status", "attempts", "response_status", "error")
    list_filter = ("org", "status")
    list_select_related = ("org", "webhook")
    search_fields = ("event", "error")
    exclude = ("body", "response", "claim")
