"""People, their sessions and keys. The label differs from Django's own app `auth`."""

from django.apps import AppConfig


class AuthConfig(AppConfig):
    name = "apps.auth"
    label = "ztna_auth"
    verbose_name = "People and keys"

    def ready(self) -> None:
        from apps.auth import credentials

        credentials.register()
