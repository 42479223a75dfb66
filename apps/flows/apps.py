"""Flow logs: what passed between machines and what was refused, with the rule that decided."""

from django.apps import AppConfig


class FlowsConfig(AppConfig):
    name = "apps.flows"
    label = "flows"
    verbose_name = "Flow logs"
