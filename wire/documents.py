"""Building frozen dataclasses from JSON documents. Unknown fields are dropped, types are held to."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar, get_type_hints

from wire.binary import WireError

_T = TypeVar("_T")

MAX_ENTRIES = 100_000


def entries(value: Any, *, limit: int = MAX_ENTRIES) -> list[Any]:
    """A list of at most `limit` items, none for null; WireError otherwise."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > limit:
        raise WireError(f"expected a list of at most {limit} items")
    return value


def texts(value: Any, *, limit: int = MAX_ENTRIES) -> tuple[str, ...]:
    """A list of strings as a tuple; WireError otherwise."""
    items = entries(value, limit=limit)
    if not all(isinstance(item, str) for item in items):
        raise WireError("expected a list of strings")
    return tuple(items)


def mapping(value: Any, *, limit: int = MAX_ENTRIES) -> Mapping[str, Any]:
    """An object with at most `limit` members, none for null; WireError otherwise."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > limit:
        raise WireError(f"expected an object of at most {limit} members")
    return value


def build(cls: type[_T], entry: Any, **parsed: Any) -> _T:
    """An instance of a dataclass; `parsed` stands in for fields that need more than a copy.

    WireError when a field is missing, or is not of its declared type: text, number, truth value,
    list of text or of numbers, or one of these and null.
    """
    if not isinstance(entry, Mapping):
        raise WireError(f"{cls.__name__} must be an object")
    values: dict[str, Any] = {}
    for name, fits in _checks(cls).items():  # type: ignore[arg-type]
        if name in entry and name not in parsed:
            value = entry[name]
            values[name] = tuple(value) if isinstance(value, list) else value
            if not fits(values[name]):
                raise WireError(f"{cls.__name__}.{name} is of a wrong type")
    try:
        return cls(**values, **parsed)
    except TypeError:
        raise WireError(f"{cls.__name__} lacks a required field") from None


@cache
def _checks(cls: type[Any]) -> dict[str, Callable[[Any], bool]]:
    hints = get_type_hints(cls)
    return {field.name: _CHECKS.get(hints[field.name], _never) for field in fields(cls)}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_is_text, value))


def _never(value: Any) -> bool:
    """Fields of other types are parsed by their own class."""
    return False


_CHECKS: dict[Any, Callable[[Any], bool]] = {
    str: _is_text,
    str | None: lambda value: value is None or isinstance(value, str),
    int: _is_number,
    int | None: lambda value: value is None or _is_number(value),
    bool: lambda value: isinstance(value, bool),
    tuple[str, ...]: _is_texts,
    tuple[int, ...]: lambda value: isinstance(value, tuple) and all(map(_is_number, value)),
}
