"""Counts for the dashboard."""

from typing import Any

from apps.core.api.views import Call
from apps.policy.models import AclRule


def policy_figures(org: Any, call: Call) -> dict[str, Any]:
    """Rules, enabled or not."""
    return {"aclRuleCount": AclRule.objects.for_org(org).count()}
