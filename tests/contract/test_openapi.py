"""The OpenAPI document: valid, and everything that can be called is in it."""

import re
from pathlib import Path

import pytest
from drf_spectacular.validation import validate_schema

from apps.core.api import registry
from apps.core.api.schema import openapi_document, openapi_text


@pytest.fixture(scope="module")
def document():
    return openapi_document()


def test_it_is_valid(document):
    validate_schema(document)


def test_every_declared_call_is_in_it(document):
    paths = document["paths"]
    for topic, operations in registry.topics().items():
        schema = paths[f"/api/{topic}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert set(schema["discriminator"]["mapping"]) == set(operations)
    for table, view in registry.tables().items():
        methods = {"read": "get", "insert": "post", "update": "patch", "delete": "delete"}
        open_to = {methods[kind] for kind, who in view.operation_roles().items() if who}
        assert set(paths[f"/api/db/{table}"]) == open_to
    for path, view in registry.call_views().items():
        spelled = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)
        assert set(paths[f"/api/{spelled}"]) == {method.lower() for method in view.calls}


def test_the_console_is_built_on_this_document():
    kept = Path(__file__).parents[2] / "frontend" / "openapi.json"
    assert kept.read_text() == openapi_text(), "run ./dev gen"


def test_names_are_unique(document):
    names = [call["operationId"] for path in document["paths"].values() for call in path.values()]
    assert len(names) == len(set(names))


@pytest.mark.django_db
def test_it_is_served_to_people(cast, client):
    assert cast.bob.client.get("/api/openapi.json").json()["openapi"].startswith("3.")
    assert client.get("/api/openapi.json").status_code == 401
