"""select, order and window of a table read."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F, Q, QuerySet
from django.http import QueryDict

from apps.core.api.columns import Column
from apps.core.api.filters import convert
from apps.core.api.rendering import WireEncoder
from apps.core.errors import InvalidFilter

MAX_ROWS = 1000


class Ordering(NamedTuple):
    column: Column
    descending: bool
    nulls_last: bool


@dataclass(frozen=True)
class Window:
    """Which rows of a result: `after` are the last row's values of the ordering."""

    limit: int
    offset: int
    after: list[Any] | None


def parse_order(columns: Mapping[str, Column], params: QueryDict, default: Sequence[str]) -> list[Ordering]:
    """`a.asc,b.desc.nullslast`; ties by created_at and id."""
    text = params.get("order") or ",".join(default)
    orderings = []
    for part in text.split(","):
        name, *words = part.strip().split(".")
        column = columns.get(name)
        if column is None or column.kind == "json":
            raise InvalidFilter(f"order: unknown column {name[:64]}", field="order")
        descending = "desc" in words or (not words and params.get("ascending") == "false")
        if set(words) - {"asc", "desc", "nullsfirst", "nullslast"}:
            raise InvalidFilter(f"order: unknown word in {part[:64]}", field="order")
        nulls_last = "nullslast" in words if words[1:] else not descending
        orderings.append(Ordering(column, descending, nulls_last))
    for name in ("created_at", "id"):
        if name in columns and all(ordering.column.name != name for ordering in orderings):
            orderings.append(Ordering(columns[name], False, True))
    return orderings


def order_by(rows: QuerySet, orderings: Sequence[Ordering]) -> QuerySet:
    return rows.order_by(
        *(
            F(ordering.column.source).desc(**_nulls(ordering))
            if ordering.descending
            else F(ordering.column.source).asc(**_nulls(ordering))
            for ordering in orderings
        )
    )


def _nulls(ordering: Ordering) -> dict[str, bool]:
    return {"nulls_last": True} if ordering.nulls_last else {"nulls_first": True}


def parse_window(params: QueryDict, orderings: Sequence[Ordering]) -> Window:
    """limit and offset, or range_from and range_to, or after."""
    limit = _whole(params, "limit", MAX_ROWS, MAX_ROWS)
    ways = [bool(set(names) & set(params)) for names in (("offset",), ("range_from", "range_to"), ("after",))]
    if sum(ways) > 1:
        raise InvalidFilter("use only one of offset, range_from with range_to, and after")
    if ways[1]:
        start, end = _whole(params, "range_from", 0), _whole(params, "range_to", MAX_ROWS)
        if end < start:
            raise InvalidFilter("range_to: must not be below range_from", field="range_to")
        return Window(min(end - start, limit), start, None)
    if ways[2]:
        return Window(limit, 0, _read_cursor(params["after"], orderings))
    return Window(limit, _whole(params, "offset", 0), None)


def _whole(params: QueryDict, name: str, default: int, most: int = 10**9) -> int:
    text = params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) > most:
        raise InvalidFilter(f"{name}: must be a whole number up to {most}", field=name)
    return int(text)


def write_cursor(row: Mapping[str, Any], orderings: Sequence[Ordering]) -> str:
    """Opaque text that `after` takes; row maps ORM paths to values."""
    found = [row[ordering.column.source] for ordering in orderings]
    # The wire's milliseconds would round a moment down and show its row again.
    exact = [value.isoformat() if isinstance(value, datetime) else value for value in found]
    values = json.dumps(exact, cls=WireEncoder)
    return base64.urlsafe_b64encode(values.encode()).decode()


def _read_cursor(text: str, orderings: Sequence[Ordering]) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(text))
        if len(values) != len(orderings):
            raise ValueError
    except (ValueError, TypeError):
        raise InvalidFilter("after: not a cursor of this order", field="after") from None
    return [
        None if value is None else convert(ordering.column, value)
        for value, ordering in zip(values, orderings, strict=True)
    ]


def beyond(orderings: Sequence[Ordering], values: Sequence[Any]) -> Q:
    """Rows that come after the one with these values."""
    found, equal = Q(pk__in=[]), Q()
    for ordering, value in zip(orderings, values, strict=True):
        path = ordering.column.source
        if value is None:
            step = Q(pk__in=[]) if ordering.nulls_last else Q(**{f"{path}__isnull": False})
            same = Q(**{f"{path}__isnull": True})
        else:
            step = Q(**{f"{path}__{'lt' if ordering.descending else 'gt'}": value})
            if ordering.nulls_last:
                step |= Q(**{f"{path}__isnull": True})
            same = Q(**{path: value})
        found |= equal & step
        equal &= same
    return found
