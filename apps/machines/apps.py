"""Machines, how they enrol, and what they are told."""

from django.apps import AppConfig


class MachinesConfig(AppConfig):
    name = "apps.machines"
    label = "machines"
    verbose_name = "Machines"

    def ready(self) -> None:
        from apps.core.api.principals import register_credential
        from apps.machines import receivers  # noqa: F401  (connects itself)
        from apps.machines.figures import machine_figures
        from apps.machines.nodes import NODE_KEY_PREFIX, node_principal
        from apps.orgs.dashboard import register_figures

        register_credential(NODE_KEY_PREFIX, node_principal)
        register_figures(machine_figures)
