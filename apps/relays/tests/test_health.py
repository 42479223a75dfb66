"""What is said of relays that answer, that do not, and that nobody may make us call."""

import pytest

from apps.relays.models import BuiltinRegion, DerpRegion
from tests.cast import ApiClient
from tests.services import free_port

NOBODY = {"region_code": "gone", "region_name": "Gone", "hostname": "127.0.0.1"}


@pytest.fixture
def gone(db):
    """One built-in region, where nothing listens."""
    BuiltinRegion.objects.all().delete()
    BuiltinRegion.objects.create(**NOBODY, derp_port=free_port())


def test_a_relay_that_does_not_answer_is_down(gone):
    answer = ApiClient().get("/api/derp-health").json()["data"]
    assert answer["status"] == "down"
    assert [(line["code"], line["healthy"]) for line in answer["regions"]] == [("gone", False)]


def test_members_see_their_regions_and_strangers_none(cast, gone):
    body = {"org_id": str(cast.org_a.pk)}
    answer = cast.bob.client.call("/api/derp-health", body).json()["data"]
    assert (answer["healthy"], answer["degraded"], answer["derp_server"]) == (False, ["gone"], "127.0.0.1")
    assert cast.charlie.client.call("/api/derp-health", body).status_code == 403
    assert cast.bob.client.call("/api/derp-health", {}).json()["error"]["code"] == "MISSING_FIELDS"


def test_an_organisations_region_inside_our_network_is_never_called(cast, monkeypatch):
    DerpRegion.objects.create_in(cast.org_a, **NOBODY, derp_port=free_port())
    called = []
    monkeypatch.setattr("httpx.get", lambda *args, **kwargs: called.append(args))
    body = {"org_id": str(cast.org_a.pk)}
    assert cast.bob.client.call("/api/derp-health", body).json()["data"]["status"] == "down"
    assert called == []
