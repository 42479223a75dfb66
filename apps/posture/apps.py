"""Posture: what machines say of their health, what is asked of them, and what follows."""

from django.apps import AppConfig


class PostureConfig(AppConfig):
    name = "apps.posture"
    label = "posture"
    verbose_name = "Posture"

    def ready(self) -> None:
        from apps.machines.verdicts import provide_verdicts
        from apps.orgs.dashboard import register_figures
        from apps.orgs.planning import register_planned
        from apps.posture import receivers  # noqa: F401  (connects itself)
        from apps.posture.planned import POLICIES
        from apps.posture.verdicts import posture_figures, verdicts

        provide_verdicts(verdicts)
        register_figures(posture_figures)
        register_planned(POLICIES)
