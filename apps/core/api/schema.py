"""OpenAPI of the declared endpoints: topics as unions told apart by `action`, tables as typed rows."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent

from apps.core.api import registry as endpoints
from apps.core.api.columns import Column
from apps.core.api.rendering import WireEncoder
from apps.core.api.tables import TableView
from apps.core.api.views import CallView, Operation, TopicView

KIND_SCHEMAS: dict[str, dict[str, Any]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "time": {"type": "string", "format": "date-time"},
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "text": {"type": "string"},
    "json": {},
}
ORG_ID = {"type": "string", "format": "uuid", "description": "the organisation"}
WHO = {
    "P": "anyone",
    "S": "a signed-in user",
    "N": "a machine",
    "R": "a relay",
    "M": "any member",
    "U": "owner, admin, auditor",
    "A": "owner, admin",
    "O": "owner",
}


def one_of_each(endpoints: list[Any]) -> list[Any]:
    """Only the canonical spelling of each path."""
    return [
        entry
        for entry in endpoints
        if not entry[0].endswith("/") and not entry[0].startswith("/api/functions/")
    ]


class OperationSchema(AutoSchema):
    """Describes our views; the generator asks it once a path and method."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> dict[str, Any] | None:
        self.registry, self.path, self.method = registry, path, method.upper()
        self.path_regex, self.path_prefix = path_regex, path_prefix
        match self.view:
            case TopicView():
                return self._topic(self.view.topic) if self.method == "POST" else None
            case TableView():
                return self._table(type(self.view))
            case CallView():
                operation = self.view.calls.get(self.method)
                return self._call(operation) if operation else None
        return None

    def _topic(self, topic: str) -> dict[str, Any]:
        operations = endpoints.actions_of(topic)
        refs = {
            name: self._component(
                f"{topic} {name} request",
                lambda operation=operation: self._input(operation, action=operation.name),
            )
            for name, operation in operations.items()
        }
        mapping = {name: ref["$ref"] for name, ref in refs.items()}
        union = {
            "oneOf": list(refs.values()),
            "discriminator": {"propertyName": "action", "mapping": mapping},
        }
        lines = [f"- `{name}`: {_who(operation)}" for name, operation in operations.items()]
        return {
            **self._base(topic, "\n".join(lines)),
            "requestBody": _json_body(union),
            "responses": self._responses({}),
        }

    def _call(self, operation: Operation) -> dict[str, Any]:
        described = {
            **self._base(operation.name, _who(operation)),
            "responses": self._responses(self._answer(operation)),
        }
        described["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", self.path)
        ]
        if self.method != "GET":
            described["requestBody"] = _json_body(self._input(operation))
        return described

    def _table(self, view: type[TableView]) -> dict[str, Any] | None:
        kind = {"GET": "read", "POST": "insert", "PATCH": "update", "DELETE": "delete"}.get(self.method)
        who = view.operation_roles().get(kind or "")
        if not who:
            return None
        row = self._component(f"{view.table} row", lambda: _row(view.resolved_columns()))
        data = {
            "read": {"type": "array", "items": row},
            "insert": row,
        }.get(kind, {"type": "object", "properties": {"changes": {"type": "integer"}}})
        described = {
            **self._base(f"{view.table} {kind}", _letters(who)),
            "parameters": [{"name": "org_id", "in": "query", "schema": ORG_ID}],
            "responses": self._responses(data),
        }
        if kind in ("insert", "update"):
            written = self._map_serializer(view.serializer(partial=kind == "update"), "request")
            described["requestBody"] = _json_body(written)
        return described

    def _base(self, name: str, description: str) -> dict[str, Any]:
        return {
            "operationId": _camel(f"{name} {self.method if self.method != 'POST' else ''}"),
            "description": description,
            "tags": [self.path.split("/")[2]],
        }

    def _input(self, operation: Operation, action: str | None = None) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object", "properties": {}}
        if operation.serializer:
            schema = self._map_serializer(operation.serializer(), "request")
        properties, required = dict(schema.get("properties", {})), list(schema.get("required", []))
        if operation.in_org:
            properties["org_id"] = ORG_ID
        if action:
            properties["action"] = {"type": "string", "enum": [action]}
            required.append("action")
        described = {"type": "object", "properties": properties}
        if operation.raw:
            described["additionalProperties"] = {}
        return {**described, "required": sorted(required)} if required else described

    def _answer(self, operation: Operation) -> dict[str, Any]:
        return self._map_serializer(operation.answer(), "response") if operation.answer else {}

    def _responses(self, data: dict[str, Any]) -> dict[str, Any]:
        failure = self._component("failure", _failure)
        success = {
            "type": "object",
            "properties": {
                "success": {"type": "boolean", "enum": [True]},
                "data": data,
                "error": {"nullable": True},
            },
            "required": ["success", "data", "error"],
        }
        return {
            "200": {"description": "done", "content": {"application/json": {"schema": success}}},
            "default": {"description": "refused", "content": {"application/json": {"schema": failure}}},
        }

    def _component(self, name: str, build: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        component = ResolvedComponent(name=_pascal(name), type=ResolvedComponent.SCHEMA, object=name)
        if component not in self.registry:
            component.schema = build()
            self.registry.register(component)
        return component.ref


def openapi_document() -> dict[str, Any]:
    """The whole document."""
    return SchemaGenerator().get_schema(request=None, public=True)


def openapi_text() -> str:
    """The document as the console keeps it beside its source."""
    return json.dumps(openapi_document(), indent=4, cls=WireEncoder) + "\n"


def _row(columns: Mapping[str, Column]) -> dict[str, Any]:
    properties = {name: {**KIND_SCHEMAS[column.kind], "nullable": True} for name, column in columns.items()}
    properties["id"].pop("nullable")
    return {"type": "object", "properties": properties, "required": sorted(properties)}


def _failure() -> dict[str, Any]:
    error = {
        "type": "object",
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        "required": ["code", "message"],
        "additionalProperties": {},
    }
    return {
        "type": "object",
        "properties": {
            "success": {"type": "boolean", "enum": [False]},
            "data": {"nullable": True},
            "error": error,
        },
        "required": ["success", "data", "error"],
    }


def _json_body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _who(operation: Operation) -> str:
    scope = f"; API keys need {operation.scope or 'admin'}" if operation.in_org else ""
    return f"Open to {_letters(operation.who)}{scope}."


def _letters(who: str) -> str:
    return " or ".join(WHO[letter] for letter in who)


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9]+", text)


def _pascal(text: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in _words(text))


def _camel(text: str) -> str:
    first, *rest = [word.lower() if word.isupper() else word for word in _words(text)]
    return first + "".join(word[:1].upper() + word[1:] for word in rest)
