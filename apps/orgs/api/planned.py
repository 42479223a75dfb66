"""Writes that become plans where two pairs of eyes are asked for."""

from collections.abc import Mapping
from typing import Any, NoReturn

from apps.core.api.tables import TableView
from apps.core.api.views import Answer, Call
from apps.core.errors import UnsafeUpdate
from apps.orgs.planning import asked_for, refuse_and_plan

NO_COLUMNS = ("org_id", "_filters", "rows")


class PlannedTable(TableView):
    """A table whose writes by one person are refused, and kept as plans that wait for a second one."""

    def _insert(self, call: Call) -> Answer:
        if asked_for(call.org):
            self.plan(call, {"create": call.data.get("rows") or [_columns(call.data)]})
        return super()._insert(call)

    def _update(self, call: Call) -> dict[str, int]:
        if asked_for(call.org):
            rows = self._rows_to_write(call, call.data.get("_filters"), UnsafeUpdate)
            self.plan(call, {"update": [{"id": str(row.pk), **_columns(call.data)} for row in rows]})
        return super()._update(call)

    def _delete(self, call: Call) -> dict[str, int]:
        if asked_for(call.org):
            ids = [str(row.pk) for row in self.rows_to_delete(call)]
            forced = self.is_forced(call)
            self.plan(call, {"delete": [{"id": row_id, "force": True} for row_id in ids] if forced else ids})
        return super()._delete(call)

    def plan(self, call: Call, changes: Mapping[str, Any]) -> NoReturn:
        """Keep the change as a plan; raises FourEyesRequired, or what is wrong with the change."""
        refuse_and_plan(call, {self.table: changes})


def _columns(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in NO_COLUMNS}
