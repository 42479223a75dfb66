"""Relay regions: where machines find a relay and a STUN server."""

from django.apps import AppConfig


class RelaysConfig(AppConfig):
    name = "apps.relays"
    label = "relays"
    verbose_name = "Relays"

    def ready(self) -> None:
        from apps.core.api.principals import register_credential
        from apps.machines.snapshots import provide_relays
        from apps.relays import receivers  # noqa: F401  (connects itself)
        from apps.relays.regions import regions_of
        from apps.relays.sessions import relay_principal
        from wire.relay import RELAY_KEY_PREFIX

        register_credential(RELAY_KEY_PREFIX, relay_principal)
        provide_relays(regions_of)
