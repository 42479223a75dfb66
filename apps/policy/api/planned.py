"""Writes that become plans where two pairs of eyes are asked for."""

from collections.abc import Mapping
from typing import Any, NoReturn

from apps.core.api.tables import TableView
from apps.core.api.views import Answer, Call
from apps.core.errors import FourEyesRequired, UnsafeDelete, UnsafeUpdate
from apps.policy.api.changes import wanted_of
from apps.policy.services.foureyes import asked_for
from apps.policy.services.plans import make_plan

NO_COLUMNS = ("org_id", "_filters", "rows")


class PlannedTable(TableView):
    """A table whose writes by one person are refused, and kept as plans that wait for a second one."""

    def _insert(self, call: Call) -> Answer:
        if asked_for(call.org):
            self._plan(call, {"create": call.data.get("rows") or [_columns(call.data)]})
        return super()._insert(call)

    def _update(self, call: Call) -> dict[str, int]:
        if asked_for(call.org):
            rows = self._rows_to_write(call, call.data.get("_filters"), UnsafeUpdate)
            self._plan(call, {"update": [{"id": str(row.pk), **_columns(call.data)} for row in rows]})
        return super()._update(call)

    def _delete(self, call: Call) -> dict[str, int]:
        if asked_for(call.org):
            named = {"id": call.data["id"]} if "id" in call.data else None
            rows = self._rows_to_write(call, call.data.get("_filters", named), UnsafeDelete)
            self._plan(call, {"delete": [str(row.pk) for row in rows]})
        return super()._delete(call)

    def _plan(self, call: Call, changes: Mapping[str, Any]) -> NoReturn:
        refuse_and_plan(call, {self.table: changes})


def refuse_and_plan(call: Call, document: Mapping[str, Any]) -> NoReturn:
    """Keep a change as a plan; raises FourEyesRequired with its id, or what is wrong with the change."""
    plan = make_plan(org=call.org, actor=call.actor, wanted=wanted_of(document), document=document)
    raise FourEyesRequired("A second administrator has to approve this change", plan_id=plan.pk)


def _columns(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in NO_COLUMNS}
