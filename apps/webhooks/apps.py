"""Outgoing webhooks: what the trail has is told to addresses that an organisation names."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "apps.webhooks"
    label = "webhooks"
    verbose_name = "Webhooks"
