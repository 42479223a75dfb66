"""Organisations, their settings and members."""

from django.apps import AppConfig


class OrgsConfig(AppConfig):
    name = "apps.orgs"
    label = "orgs"
    verbose_name = "Organisations"

    def ready(self) -> None:
        from apps.core.api.access import provide_org_access
        from apps.orgs.membership import org_access

        provide_org_access(org_access)
