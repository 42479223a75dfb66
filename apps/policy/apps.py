"""Who may reach what: rules, groups, grants, plans, reviews, and the engine that judges."""

from django.apps import AppConfig


class PolicyConfig(AppConfig):
    name = "apps.policy"
    label = "policy"
    verbose_name = "Policy"

    def ready(self) -> None:
        from apps.machines.groups import provide_groups
        from apps.machines.rights import provide_rights
        from apps.orgs.dashboard import register_figures
        from apps.orgs.planning import provide_plans, register_planned
        from apps.policy import receivers  # noqa: F401  (connects itself)
        from apps.policy.api.changes import keep_for_approval
        from apps.policy.figures import policy_figures
        from apps.policy.planned import TABLES
        from apps.policy.references import unresolved_names
        from apps.policy.rights import PolicyFeed, group_names
        from apps.policy.services.commit import commit

        provide_rights(PolicyFeed)
        provide_groups(group_names, unresolved_names)
        register_figures(policy_figures)
        provide_plans(keep_for_approval, commit)
        for table in TABLES:
            register_planned(table)
