"""Who may reach what: rules, groups, grants, plans, reviews, and the engine that judges."""

from django.apps import AppConfig


class PolicyConfig(AppConfig):
    name = "apps.policy"
    label = "policy"
    verbose_name = "Policy"

    def ready(self) -> None:
        from apps.machines.groups import provide_groups
        from apps.machines.rights import provide_rights
        from apps.policy import receivers  # noqa: F401  (connects itself)
        from apps.policy.rights import PolicyFeed, group_names

        provide_rights(PolicyFeed)
        provide_groups(group_names)
