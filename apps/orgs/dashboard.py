"""Figures of the dashboard; higher apps register their part."""

from collections.abc import Callable
from typing import Any

from apps.core.api.views import Call
from apps.orgs.models import OrgInvitation, OrgMember

# (org, call) -> figures by name
Figures = Callable[[Any, Call], dict[str, Any]]
_figures: list[Figures] = []


def register_figures(figures: Figures) -> None:
    """Add figures to get_dashboard_stats; they come from counters, never from loading tables."""
    _figures.append(figures)


def counters(call: Call) -> dict[str, Any]:
    """What is counted of the call's organisation, without the rows that are shown beside it."""
    stats = dashboard_stats(call)
    return {name: value for name, value in stats.items() if not isinstance(value, list | dict)}


def dashboard_stats(call: Call) -> dict[str, Any]:
    """All registered figures of the call's organisation."""
    members = member_list(call)
    open_invitations = OrgInvitation.objects.for_org(call.org).filter(status="pending")
    stats = {
        "members": members[:100],
        "memberCount": len(members),
        "pendingInvites": open_invitations.count(),
        "ssoEnabled": False,
    }
    for figures in _figures:
        stats |= figures(call.org, call)
    return {**stats, "data": dict(stats)}


def member_list(call: Call) -> list[dict[str, Any]]:
    """Members with their names, the earliest first."""
    members = OrgMember.objects.for_org(call.org).select_related("user").order_by("joined_at", "pk")
    return [
        {
            "id": member.pk,
            "user_id": member.user_id,
            "email": member.user.email,
            "role": member.role,
            "status": member.status,
            "joined_at": member.joined_at,
            "full_name": member.user.full_name,
            "avatar_url": member.user.avatar_url or None,
        }
        for member in members
    ]


def members_answer(call: Call) -> dict[str, Any]:
    """get_org_members: the list, twice for old readers."""
    members = member_list(call)
    return {"members": members, "data": members}
