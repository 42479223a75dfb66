"""`POST /api/db/_rpc`: named reports of an organisation."""

from typing import Any

from apps.core.api.views import Call, CallView, Operation
from apps.core.errors import MissingFields, UnknownAction
from apps.orgs import dashboard

FUNCTIONS = {
    "get_dashboard_stats": dashboard.dashboard_stats,
    "get_org_members": dashboard.members_answer,
}


def _run(call: Call) -> dict[str, Any]:
    name = call.data.get("fn")
    if not name:
        raise MissingFields("fn required", field="fn")
    function = FUNCTIONS.get(name) if isinstance(name, str) else None
    if function is None:
        raise UnknownAction(f"Unknown function: {str(name)[:100]}")
    return function(call)


class Rpc(CallView):
    path = "db/_rpc"
    calls = {"POST": Operation("db/_rpc", "M", _run, scope="machines:read", raw=True)}

    def read_json(self, request: Any, limit: int) -> dict[str, Any]:
        body = super().read_json(request, limit)
        return {**body, "org_id": body.get("org_id") or body.get("_org_id")}
