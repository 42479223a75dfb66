"""Organisations, their settings and members."""

from django.apps import AppConfig


class OrgsConfig(AppConfig):
    name = "apps.orgs"
    label = "orgs"
    verbose_name = "Organisations"

    def ready(self) -> None:
        from apps.auth import apikeys
        from apps.core.api.access import provide_org_access
        from apps.orgs import receivers  # noqa: F401  (connects itself)
        from apps.orgs.membership import api_key_max_days, org_access

        provide_org_access(org_access)
        apikeys.provide_max_days(api_key_max_days)
