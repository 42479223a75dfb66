"""Table endpoints: one declared view a table; every write runs the domain's service."""

import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Model, Q, QuerySet
from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request

from apps.core import errors, idempotency, realtime
from apps.core.api import access, registry, window
from apps.core.api.columns import Column, resolve
from apps.core.api.filters import list_filters, url_filter
from apps.core.api.rendering import field_error
from apps.core.api.views import Answer, ApiView, Call, Operation

RESERVED = frozenset(
    [
        "org_id",
        "select",
        "order",
        "ascending",
        "limit",
        "offset",
        "range_from",
        "range_to",
        "after",
        "count",
        "action",
        "force",
        "_summary",
    ]
)
SERVER_COLUMNS = frozenset({"id", "created_at", "created_by", "updated_at", "added_at"})
MAX_INSERT = 100
FORBIDDEN_OVERRIDES = ("get_queryset", "scoped_rows")


class TableView(ApiView):
    """Base of `/api/db/<table>`.

    read, insert, update, delete: letters of who may (as in Operation; "" = that kind of write is not
    taken, and `instead` says what to use). scope: resource word that an API key needs.
    A subclass narrows what a role sees in `narrow` and writes in `create_row`, `update_row` and
    `delete_row`, which call services.
    """

    table: ClassVar[str] = ""
    model: ClassVar[type[Model]]
    columns: ClassVar[tuple[Column, ...]] = ()
    default_order: ClassVar[tuple[str, ...]] = ("created_at",)
    read: ClassVar[str] = "M"
    insert: ClassVar[str] = ""
    update: ClassVar[str] = ""
    delete_by: ClassVar[str] = ""
    instead: ClassVar[Mapping[str, str]] = {}
    scope: ClassVar[str] = "settings"
    serializer: ClassVar[type[serializers.Serializer] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in FORBIDDEN_OVERRIDES:
            if name in vars(cls):
                raise ImproperlyConfigured(f"{cls.__name__} must not override {name}; use narrow")
        if cls.table:
            registry.add_table(cls)

    # What a table says about itself

    def narrow(self, rows: QuerySet, call: Call) -> QuerySet:
        """Fewer rows, or annotations; never more rows."""
        return rows

    def decorate(self, rows: list[dict[str, Any]], call: Call) -> None:
        """Change rendered rows in place, in one look-up for all of them."""

    def create_row(self, call: Call, values: Mapping[str, Any]) -> Model:
        raise NotImplementedError

    def update_row(self, call: Call, row: Model, values: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def delete_row(self, call: Call, row: Model, *, force: bool) -> None:
        raise NotImplementedError

    # Requests

    def get(self, request: Request) -> HttpResponseBase:
        return self._run(request, "read", self._list)

    head = get

    def post(self, request: Request) -> HttpResponseBase:
        return self._run(request, "insert", self._insert)

    def patch(self, request: Request) -> HttpResponseBase:
        return self._run(request, "update", self._update)

    def delete(self, request: Request) -> HttpResponseBase:
        return self._run(request, "delete", self._delete)

    def _run(self, request: Request, kind: str, run: Any) -> HttpResponseBase:
        principal = self.principal_of(request)
        if principal is None:
            raise errors.Unauthorized()
        body = {} if kind == "read" else self.read_json(request, 1024 * 1024)
        if kind == "insert" and "_filters" in body:
            kind, run = "update", self._update
        url_org = (request.query_params.get("org_id") or "").removeprefix("eq.")
        if url_org and body.get("org_id") and url_org.lower() != str(body["org_id"]).lower():
            raise errors.NotFound()
        who = self.operation_roles()[kind]
        operation = Operation(
            name=f"db/{self.table} {kind}",
            # A kind of write that is not taken is refused to members with its reason.
            who=who or "M",
            run=run if who else self._refuse(kind),
            scope=f"{self.scope}:{'read' if kind == 'read' else 'write'}",
            org_of=lambda data: self._org_of_id(request, data),
            raw=True,
        )
        return idempotency.once(
            request, principal, body, lambda: self.perform(request, operation, principal, body, {})
        )

    @classmethod
    def operation_roles(cls) -> dict[str, str]:
        return {"read": cls.read, "insert": cls.insert, "update": cls.update, "delete": cls.delete_by}

    def _refuse(self, kind: str) -> Any:
        def refuse(call: Call) -> None:
            raise errors.Forbidden(self.instead.get(kind, f"{self.table} takes no {kind}"))

        return refuse

    def _org_of_id(self, request: Request, body: Mapping[str, Any]) -> uuid.UUID | None:
        """The organisation that an `id` filter fixes."""
        filters = body.get("_filters")
        given = request.query_params.get("id") or body.get("id")
        given = given or (filters.get("id") if isinstance(filters, Mapping) else None)
        if not given:
            raise errors.MissingFields("org_id required", field="org_id")
        try:
            row_id = uuid.UUID(str(given).removeprefix("eq."))
        except ValueError:
            raise errors.InvalidFilter("id: not a uuid", field="id") from None
        return self.org_id_of_row(row_id)

    @classmethod
    def org_id_of_row(cls, row_id: uuid.UUID) -> uuid.UUID | None:
        return cls.model.all_orgs.filter(pk=row_id).values_list("org_id", flat=True).first()

    def scoped_rows(self, call: Call) -> QuerySet:
        """Rows of the call's organisation that the caller may see."""
        return self.narrow(self.model.objects.for_org(call.org), call)

    @classmethod
    def resolved_columns(cls) -> dict[str, Column]:
        return {column.name: resolve(column, cls.model) for column in cls.columns}

    # Reading

    def _list(self, call: Call) -> Answer:
        params = call.request.query_params
        columns = self.resolved_columns()
        rows = self.scoped_rows(call).filter(self._url_conditions(call, columns))
        if params.get("select") == "count":
            return Answer([{"count": rows.count()}])
        selected = self._selected(columns, params.get("select"))
        orderings = window.parse_order(columns, params, self.default_order)
        frame = window.parse_window(params, orderings)
        total = self._total(params, rows)
        if frame.after is not None:
            rows = rows.filter(window.beyond(orderings, frame.after))
        sources = {column.source for column in selected} | {o.column.source for o in orderings}
        rows = window.order_by(rows, orderings).values(*sources)
        found = list(rows[frame.offset : frame.offset + frame.limit])
        headers = {"Content-Range": _content_range(frame.offset, len(found), total)}
        if found and len(found) == frame.limit:
            headers["X-Next-Cursor"] = window.write_cursor(found[-1], orderings)
        data = [{column.name: row[column.source] for column in selected} for row in found]
        self.decorate(data, call)
        return Answer(data, headers=headers)

    def _total(self, params: Any, rows: QuerySet) -> int | None:
        if "count" not in params:
            return None
        if params["count"] != "exact":
            raise errors.InvalidFilter("count: must be exact", field="count")
        return rows.count()

    def _selected(self, columns: Mapping[str, Column], select: str | None) -> list[Column]:
        if select in (None, "", "*"):
            return list(columns.values())
        names = [name.strip() for name in select.split(",")]
        if unknown := [name for name in names if name not in columns]:
            raise errors.InvalidFilter(f"select: unknown column {unknown[0][:64]}", field="select")
        return [columns[name] for name in names]

    def _url_conditions(self, call: Call, columns: Mapping[str, Column]) -> Q:
        filterable = {name: column for name, column in columns.items() if column.filterable}
        found = Q()
        for name, texts in call.request.query_params.lists():
            # `action` is a leftover of old clients, except where a table has such a column.
            if name in RESERVED and (name != "action" or name not in filterable):
                continue
            for text in texts:
                found &= url_filter(filterable, name, text)
        return found

    # Writing

    def _insert(self, call: Call) -> Answer:
        body = dict(call.data)
        several = body.get("rows")
        if several is None:
            rows = [body]
        elif isinstance(several, list) and 0 < len(several) <= MAX_INSERT:
            rows = several
        else:
            raise errors.InvalidInput(f"rows: must be a list of 1 to {MAX_INSERT} rows", field="rows")
        with transaction.atomic():
            made = [self.create_row(call, self._values(call, row, partial=False)) for row in rows]
        rendered = self._rendered(call, [row.pk for row in made])
        if several is not None:
            return Answer({"rows": rendered, "count": len(rendered)}, status=201)
        return Answer({**rendered[0], "data": {"id": rendered[0]["id"]}}, status=201)

    def _update(self, call: Call) -> dict[str, int]:
        body = dict(call.data)
        filters = body.pop("_filters", None)
        # A leftover of old clients, except where a table has such a column.
        if all(column.name != "action" for column in self.columns):
            body.pop("action", None)
        with transaction.atomic():
            rows = self._rows_to_write(call, filters, errors.UnsafeUpdate)
            values = self._values(call, body, partial=True)
            if not values:
                raise errors.MissingFields("No columns to change")
            with _events_of(rows):
                for row in rows:
                    self.update_row(call, row, values)
        return {"changes": len(rows)}

    def _delete(self, call: Call) -> dict[str, int]:
        force = self.is_forced(call)
        with transaction.atomic():
            rows = self.rows_to_delete(call)
            with _events_of(rows):
                for row in rows:
                    self.delete_row(call, row, force=force)
        return {"changes": len(rows)}

    def is_forced(self, call: Call) -> bool:
        """Whether the caller asked for it in spite of what still depends on the row."""
        return call.data.get("force") is True or call.request.query_params.get("force") == "true"

    def rows_to_delete(self, call: Call) -> list[Model]:
        """The rows that a DELETE names; raises UnsafeDelete, NotFound, TooManyRows."""
        filters = call.data.get("_filters")
        if filters is None and "id" in call.data:
            filters = {"id": call.data["id"]}
        return self._rows_to_write(call, filters, errors.UnsafeDelete)

    def _rows_to_write(self, call: Call, filters: Any, unsafe: type[errors.ApiError]) -> list[Model]:
        columns = {name: column for name, column in self.resolved_columns().items() if column.filterable}
        conditions = self._url_conditions(call, columns)
        if filters is not None:
            conditions &= list_filters(columns, _without_org(call, filters))
        if not conditions:
            raise unsafe()
        rows = list(self.scoped_rows(call).filter(conditions).order_by("pk")[: window.MAX_ROWS + 1])
        if not rows:
            raise errors.NotFound()
        if len(rows) > window.MAX_ROWS:
            raise errors.TooManyRows()
        return rows

    def _values(self, call: Call, row: Any, *, partial: bool) -> dict[str, Any]:
        if not isinstance(row, Mapping):
            raise errors.InvalidInput("rows: each must be an object", field="rows")
        row = {name: value for name, value in row.items() if name != "org_id"}
        if not partial:
            row = {name: value for name, value in row.items() if name not in SERVER_COLUMNS}
        columns = {column.name: column for column in self.columns}
        known = set(self.serializer().fields) if self.serializer else set()
        if unknown := [name for name in row if name not in columns and name not in known]:
            raise errors.UnknownField(f"Unknown field: {unknown[0][:64]}", field=unknown[0][:64])
        refused = [name for name in row if not self._writable(call, columns.get(name), partial)]
        if refused:
            raise errors.FieldNotWritable(f"Not writable: {', '.join(refused)}", fields=refused)
        serializer = self.serializer(data=row, partial=partial)
        if not serializer.is_valid():
            raise field_error(serializers.ValidationError(serializer.errors).get_full_details())
        return serializer.validated_data

    def _writable(self, call: Call, column: Column | None, partial: bool) -> bool:
        if column is None:
            return True  # write-only, known to the serializer
        letters = column.write or ("" if partial else self.insert if self._insertable(column) else "")
        return call.role == "api_key" or any(call.role in access.ROLES.get(x, ()) for x in letters)

    def _insertable(self, column: Column) -> bool:
        return self.serializer is not None and column.name in self.serializer().fields

    def _rendered(self, call: Call, ids: list[Any]) -> list[dict[str, Any]]:
        columns = self.resolved_columns().values()
        rows = self.scoped_rows(call).filter(pk__in=ids).values("pk", *{c.source for c in columns})
        by_id = {row["pk"]: {c.name: row[c.source] for c in columns} for row in rows}
        rendered = [by_id[row_id] for row_id in ids]
        self.decorate(rendered, call)
        return rendered


def _events_of(rows: list[Model]) -> AbstractContextManager[None]:
    return realtime.as_refresh() if len(rows) > realtime.REFRESH_ABOVE else nullcontext()


def _without_org(call: Call, filters: Any) -> Any:
    """`org_id` in `_filters` names the organisation once more; another one matches nothing."""
    if isinstance(filters, Mapping) and "org_id" in filters:
        given = filters["org_id"]
        filters = {name: value for name, value in filters.items() if name != "org_id"}
    elif isinstance(filters, list):
        named = [c for c in filters if isinstance(c, Mapping) and c.get("column") == "org_id"]
        given = named[0].get("value") if named else None
        filters = [c for c in filters if c not in named]
    else:
        return filters
    if given is not None and str(given).lower() != str(call.org.pk):
        raise errors.NotFound()
    return filters


def _content_range(offset: int, count: int, total: int | None) -> str:
    span = f"{offset}-{offset + count - 1}" if count else "*"
    return f"{span}/{'*' if total is None else total}"
