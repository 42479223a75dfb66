"""Pages of an action's answer, newest first: `cursor` names the last row of the page before."""

import uuid
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet

from apps.core.errors import InvalidInput


def newest_first(
    rows: QuerySet, *, limit: int, cursor: str | None, by: str = "created_at"
) -> tuple[list[Any], str | None]:
    """(a page of rows, the cursor of the next page or None); by is a column of moments.

    Raises InvalidInput for a cursor that is none.
    """
    if cursor:
        at, row_id = _read(cursor)
        rows = rows.filter(Q(**{f"{by}__lt": at}) | Q(**{by: at, "pk__lt": row_id}))
    found = list(rows.order_by(f"-{by}", "-pk")[: limit + 1])
    more = len(found) > limit
    last = found[limit - 1] if more else None
    return found[:limit], f"{getattr(last, by).isoformat()}~{last.pk}" if last else None


def _read(text: str) -> tuple[datetime, uuid.UUID]:
    at, _, row_id = text.partition("~")
    try:
        return datetime.fromisoformat(at).astimezone(UTC), uuid.UUID(row_id)
    except (ValueError, OverflowError):
        raise InvalidInput("cursor: not one of this search", field="cursor") from None
