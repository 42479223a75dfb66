"""Everything that can be called, found by enumeration, and what to call it with."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework import serializers

from apps.core.api import registry
from apps.core.api.views import Operation

SAMPLES: tuple[tuple[type[serializers.Field], Any], ...] = (
    (serializers.BooleanField, True),
    (serializers.EmailField, "someone@example.com"),
    (serializers.URLField, "https://example.com/x.png"),
    (serializers.IntegerField, 1),
    (serializers.FloatField, 1.0),
    (serializers.DateTimeField, "2026-01-01T00:00:00Z"),
    (serializers.DictField, {}),
    (serializers.JSONField, {}),
)


class Endpoint(NamedTuple):
    """One thing to call: method, path, and the operation behind it."""

    method: str
    path: str
    operation: Operation

    @property
    def name(self) -> str:
        return f"{self.method} {self.path} {self.operation.name}"

    def body(self, org_id: Any, object_id: Any) -> dict[str, Any]:
        """A request that passes validation as far as the serializer tells, naming one object."""
        body = {} if self.operation.serializer is None else sample(self.operation.serializer(), object_id)
        if self.operation.in_org:
            body["org_id"] = str(org_id)
        return body | ({"action": self.operation.name} if self.path.count("/") and self.is_topic else {})

    @property
    def is_topic(self) -> bool:
        return self.operation in registry.topics().get(self.path.removeprefix("/api/"), {}).values()

    def url(self, object_id: Any) -> str:
        return re.sub(r"<[^>]+>", str(object_id), self.path)


def requests_of(endpoint: Endpoint, org_id: Any, object_ids: list[Any]) -> list[tuple[str, dict[str, Any]]]:
    """(url, body) for each object; only one if the call names no object at all."""
    made: list[tuple[str, dict[str, Any]]] = []
    for object_id in object_ids:
        request = (endpoint.url(object_id), endpoint.body(org_id, object_id))
        if request not in made:
            made.append(request)
    return made


def endpoints() -> Iterator[Endpoint]:
    """Every operation of every topic and call."""
    for topic, operations in registry.topics().items():
        for operation in operations.values():
            yield Endpoint("POST", f"/api/{topic}", operation)
    for path, view in registry.call_views().items():
        for method, operation in view.calls.items():
            yield Endpoint(method, f"/api/{path}", operation)


def sample(serializer: serializers.Serializer, object_id: Any) -> dict[str, Any]:
    """A value for every field; ids name the object."""
    values = {}
    for name, field in serializer.fields.items():
        if not field.read_only:
            values[name] = sample_value(name, field, object_id)
    return values


def sample_value(name: str, field: serializers.Field, object_id: Any) -> Any:
    if isinstance(field, serializers.UUIDField) or name.endswith("_id"):
        return str(object_id)
    if isinstance(field, serializers.ListField):
        return [sample_value(name.removesuffix("s"), field.child, object_id)]
    if isinstance(field, serializers.ChoiceField):
        return next(iter(field.choices))
    if isinstance(field, serializers.BaseSerializer):
        return sample(field, object_id)
    for kind, value in SAMPLES:
        if isinstance(field, kind):
            return value
    return "x" * max(12, getattr(field, "min_length", None) or 0)


def routes() -> Iterator[str]:
    """Every pattern of the URL table."""
    yield from _walk(get_resolver().url_patterns, "")


def _walk(patterns: list[Any], prefix: str) -> Iterator[str]:
    for entry in patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, route)
        elif isinstance(entry, URLPattern):
            yield route
