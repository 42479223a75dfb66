"""An organisation full of canaries."""

from importlib import import_module
from importlib.util import find_spec

import pytest
from django.apps import apps
from django.urls import get_resolver

from apps.core import ratelimit
from apps.core.api import registry
from apps.core.tenancy import OrgOwned

CANARY = "canary7f3a9c51"


def org_owned() -> list[type[OrgOwned]]:
    return [model for model in apps.get_models() if issubclass(model, OrgOwned)]


@pytest.fixture(autouse=True)
def _declared():
    """The URL table imports every app's `api`; without it the sweeps would have nothing to call."""
    assert get_resolver().url_patterns
    assert registry.topics()
    assert registry.tables()


@pytest.fixture
def canaries(cast):
    """Rows of every model in A, planted by each app's `tests/canary.py`."""
    for config in apps.get_app_configs():
        if config.name.startswith("apps.") and find_spec(f"{config.name}.tests.canary"):
            import_module(f"{config.name}.tests.canary").plant(cast.org_a, CANARY)
    return CANARY


@pytest.fixture
def planted_ids(cast, canaries):
    """Ids of A itself and of its newest row of each model."""
    ids = [cast.org_a.pk]
    for model in org_owned():
        ids += model.objects.for_org(cast.org_a).order_by("-created_at").values_list("pk", flat=True)[:1]
    return ids


@pytest.fixture(autouse=True)
def _without_limits(monkeypatch):
    """The sweeps call far more often than a person may."""
    monkeypatch.setattr(ratelimit, "hit", lambda bucket, limit: None)
    monkeypatch.setattr(ratelimit, "wait_for", lambda bucket, limit: 0.0)
