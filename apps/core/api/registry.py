"""Every declared endpoint, for the URL table, the OpenAPI document and the sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import path

if TYPE_CHECKING:
    from apps.core.api.tables import TableView
    from apps.core.api.views import CallView, Operation

_topics: dict[str, dict[str, Operation]] = {}
_aliases: dict[str, str] = {}
_retired: dict[tuple[str, str], str] = {}
_calls: dict[str, type[CallView]] = {}
_tables: dict[str, type[TableView]] = {}


def add_actions(topic: str, aliases: tuple[str, ...], operations: tuple[Operation, ...]) -> None:
    actions = _topics.setdefault(topic, {})
    for operation in operations:
        if operation.name in actions:
            raise ImproperlyConfigured(f"action {topic} {operation.name} is declared twice")
        actions[operation.name] = operation
    _aliases.update(dict.fromkeys(aliases, topic))


def add_retired(topic: str, names: Mapping[str, str]) -> None:
    """Actions that are gone, by what to use instead."""
    _retired.update({(topic, old): new for old, new in names.items()})


def successor_of(topic: str, action: str) -> str | None:
    """What to use instead of an action that is gone; None for one that never was."""
    return _retired.get((topic, action))


def add_call_view(view: type[CallView]) -> None:
    if view.path in _calls:
        raise ImproperlyConfigured(f"path {view.path} is declared twice")
    _calls[view.path] = view


def add_table(view: type[TableView]) -> None:
    if view.table in _tables:
        raise ImproperlyConfigured(f"table {view.table} is declared twice")
    _tables[view.table] = view


def actions_of(topic: str) -> dict[str, Operation]:
    return _topics[topic]


def topics() -> dict[str, dict[str, Operation]]:
    return dict(_topics)


def call_views() -> dict[str, type[CallView]]:
    return dict(_calls)


def tables() -> dict[str, type[TableView]]:
    return dict(_tables)


def api_urlpatterns() -> list[Any]:
    """Patterns below /api/, with and without a trailing slash."""
    return [*_both_slashes(_routes())]


def _routes() -> Iterator[tuple[str, Any]]:
    from apps.core.api.views import TopicView

    # Heartbeats are among these, and a URL is sought from the top.
    for route, view in _calls.items():
        yield route, view.as_view()
    for name, view in _tables.items():
        yield f"db/{name}", view.as_view()
    for topic in _topics:
        if topic not in _calls:
            view = type("TopicView", (TopicView,), {"topic": topic})
            yield topic, view.as_view()
    for alias, topic in _aliases.items():
        view = type("TopicView", (TopicView,), {"topic": topic, "schema": None})
        yield alias, view.as_view()


def _both_slashes(routes: Iterator[tuple[str, Any]]) -> Iterator[Any]:
    known = list(routes)
    yield from (path(route, view) for route, view in known)
    yield from (path(f"{route}/", view) for route, view in known)
