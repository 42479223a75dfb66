"""The filter grammar of the table endpoints: text or list form in, a Q out.

URL form `column=op.value`, `or=(a.eq.1,b.is.null)`, `not.op.value`; list form
`[{column, op, value}]`, or `{column: value}` for equality. Everything wrong is INVALID_FILTER.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q

from apps.core.api import lookups  # noqa: F401  (registers the lookups)
from apps.core.api.columns import Column
from apps.core.clock import parse_rfc3339
from apps.core.errors import InvalidFilter

MAX_LIST = 500
MAX_PATTERN = 200
MAX_DEPTH = 2
# List-form spelling -> URL spelling
SPELLINGS = {
    **{"=": "eq", "!=": "neq", "<>": "neq", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"},
    **{"contains": "cs", "overlaps": "ov"},
}
COMPARISONS = {"gt", "gte", "lt", "lte"}
OPERATORS = {"eq", "neq", *COMPARISONS, "like", "ilike", "in", "is", "cs", "ov"}
IS_VALUES = {"null": None, "not_null": "not_null", "true": True, "false": False}


def url_filter(columns: Mapping[str, Column], name: str, text: str) -> Q:
    """Q of one `name=op.value` of the URL."""
    if name in ("or", "and"):
        return _group(columns, name, text, depth=1)
    return _condition(columns, name, text)


def list_filters(columns: Mapping[str, Column], filters: Any) -> Q:
    """Q of `_filters`."""
    if isinstance(filters, Mapping):
        filters = [{"column": name, "op": "eq", "value": value} for name, value in filters.items()]
    if not isinstance(filters, list) or len(filters) > 50:
        raise InvalidFilter("_filters must be an object or a list of at most 50 conditions")
    found = Q()
    for condition in filters:
        if not isinstance(condition, Mapping) or not {"column", "op"} <= set(condition):
            raise InvalidFilter("_filters: each condition needs column, op and value")
        op, negated = str(condition["op"]), False
        if op.startswith("not_"):
            op, negated = op[4:], True
        column = _column(columns, condition["column"])
        q = _build(column, SPELLINGS.get(op, op), condition.get("value"))
        found &= ~q if negated else q
    return found


def _group(columns: Mapping[str, Column], joiner: str, text: str, depth: int) -> Q:
    if depth > MAX_DEPTH:
        raise InvalidFilter(f"{joiner}: at most two levels")
    if not (text.startswith("(") and text.endswith(")")):
        raise InvalidFilter(f"{joiner}: must be in parentheses")
    found = None
    for part in split_list(text[1:-1]):
        for word in ("or", "and"):
            if part.startswith(f"{word}("):
                q = _group(columns, word, part[len(word) :], depth + 1)
                break
        else:
            name, _, rest = part.partition(".")
            q = _condition(columns, name, rest)
        found = q if found is None else (found | q if joiner == "or" else found & q)
    if found is None:
        raise InvalidFilter(f"{joiner}: is empty")
    return found


def _condition(columns: Mapping[str, Column], name: str, text: str) -> Q:
    column = _column(columns, name)
    op, dot, value = text.partition(".")
    negated = op == "not"
    if negated:
        op, dot, value = value.partition(".")
    if not dot:
        raise InvalidFilter(f"{name}: must be written as operator.value", field=name)
    parsed: Any = value
    if op in ("in", "cs", "ov"):
        opening, closing = "()" if op == "in" else "{}"
        if not (value.startswith(opening) and value.endswith(closing)):
            raise InvalidFilter(f"{name}: {op} needs a list in {opening}{closing}", field=name)
        parsed = split_list(value[1:-1])
    q = _build(column, op, parsed)
    return ~q if negated else q


def _column(columns: Mapping[str, Column], name: Any) -> Column:
    column = columns.get(name) if isinstance(name, str) else None
    if column is None:
        raise InvalidFilter(f"unknown column {str(name)[:64]}", field=str(name)[:64])
    return column


def _build(column: Column, op: str, value: Any) -> Q:
    if op not in OPERATORS:
        raise InvalidFilter(f"{column.name}: unknown operator {op[:20]}", field=column.name)
    kind, path = column.kind, column.source
    misfit = InvalidFilter(f"{column.name}: {op} does not fit its type", field=column.name)
    if op == "is":
        return _is(column, value, misfit)
    if op in ("cs", "ov"):
        if kind != "json":
            raise misfit
        items = _sized(column, value)
        conditions = [Q(**{f"{path}__has_item": item}) for item in items]
        found = Q()
        for condition in conditions:
            found = found & condition if op == "cs" else found | condition
        return found if items or op == "cs" else Q(pk__in=[])
    if kind == "json":
        raise misfit
    if op in ("like", "ilike"):
        if kind != "text" or not isinstance(value, str):
            raise misfit
        if len(value) > MAX_PATTERN:
            raise InvalidFilter(f"{column.name}: a pattern has at most {MAX_PATTERN} characters")
        return Q(**{f"{path}__{'wild' if op == 'like' else 'iwild'}": value})
    if op == "in":
        return Q(**{f"{path}__in": [convert(column, item) for item in _sized(column, value)]})
    if op in COMPARISONS and kind not in ("integer", "number", "time", "text"):
        raise misfit
    if value is None:
        raise InvalidFilter(f"{column.name}: compare with null by is", field=column.name)
    converted = convert(column, value)
    if op == "eq":
        return Q(**{path: converted})
    if op == "neq":
        # Django's negation counts null as different.
        return ~Q(**{path: converted})
    return Q(**{f"{path}__{op}": converted})


def _is(column: Column, value: Any, misfit: InvalidFilter) -> Q:
    value = IS_VALUES.get(value, misfit) if isinstance(value, str) else value
    if value is None:
        return Q(**{f"{column.source}__isnull": True})
    if value == "not_null":
        return Q(**{f"{column.source}__isnull": False})
    if isinstance(value, bool) and column.kind == "boolean":
        return Q(**{column.source: value})
    raise misfit


def _sized(column: Column, value: Any) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_LIST:
        raise InvalidFilter(f"{column.name}: needs a list of at most {MAX_LIST}", field=column.name)
    if not all(isinstance(item, str | int | float) for item in value):
        raise InvalidFilter(f"{column.name}: holds what is neither text nor number", field=column.name)
    return value


def convert(column: Column, value: Any) -> Any:
    """A value in the column's own type; raises InvalidFilter."""
    try:
        return _CONVERTERS[column.kind](value)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise InvalidFilter(f"{column.name}: not a {column.kind}", field=column.name) from None


def _boolean(value: Any) -> bool:
    if value in (True, "true"):
        return True
    if value in (False, "false"):
        return False
    raise ValueError


def _integer(value: Any) -> int:
    if isinstance(value, (bool, float)):
        raise ValueError
    number = int(value)
    if not -(2**63) <= number < 2**63:
        raise ValueError
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    return value


def _time(value: Any) -> datetime:
    # A plus sign in a URL that was not escaped arrives as a space.
    return parse_rfc3339(value.replace(" ", "+") if value.count(" ") == 1 and "T" in value else value)


_CONVERTERS = {
    "uuid": lambda value: uuid.UUID(value),
    "boolean": _boolean,
    "integer": _integer,
    "number": float,
    "text": _text,
    "time": _time,
    "json": lambda value: value,
}


def split_list(text: str) -> list[str]:
    """Items between commas; quotes, parentheses and braces keep commas together."""
    items: list[str] = []
    item, depth, quoted, escaped, was_quoted = "", 0, False, False, False
    for char in text:
        if escaped:
            item, escaped = item + char, False
        elif quoted and char == "\\":
            escaped = True
            item += char if depth else ""
        elif char == '"':
            quoted, was_quoted = not quoted, True
            item += char if depth else ""  # an inner list is split again
        elif char == "," and not quoted and depth == 0:
            items.append(item)
            item, was_quoted = "", False
        else:
            if not quoted:
                depth += (char in "({") - (char in ")}")
            item += char
    if quoted or depth:
        raise InvalidFilter("a list has an open quote or bracket")
    if item or was_quoted or items:
        items.append(item)
    return items
