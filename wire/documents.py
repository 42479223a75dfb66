"""Building frozen dataclasses from JSON documents. Unknown fields are dropped."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

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
    """An instance of a dataclass; `parsed` stands in for fields that need more than a copy."""
    if not isinstance(entry, Mapping):
        raise WireError(f"{cls.__name__} must be an object")
    known = {item.name for item in fields(cls)} - parsed.keys()  # type: ignore[arg-type]
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in entry.items()
        if name in known
    }
    try:
        return cls(**values, **parsed)
    except TypeError:
        raise WireError(f"{cls.__name__} lacks a required field") from None
