"""Which relays machines are told of, and who may change that."""

import json

import pytest
from django.core.management import CommandError, call_command

from apps.relays.models import BuiltinRegion, DerpRegion
from tests.cast import ApiClient

pytestmark = pytest.mark.django_db

OWN = {"region_code": "hq1", "region_name": "Head office", "hostname": "relay.example.com"}


def codes(client, **query):
    response = client.get("/api/derp-map", query)
    return [region["region_code"] for region in response.json()["data"]["regions"]]


def test_four_regions_are_built_in_by_priority():
    assert codes(ApiClient()) == ["blr1", "nyc1", "lon1", "sfo3"]


def test_own_regions_replace_the_built_in_ones_for_their_organisation_only(cast):
    client = cast.alice.client
    created = client.call("/api/db/derp_regions", {**OWN, "org_id": str(cast.org_a.pk)})
    assert created.status_code == 201
    assert codes(client, org_id=cast.org_a.pk) == ["hq1"]
    assert codes(ApiClient()) == ["blr1", "nyc1", "lon1", "sfo3"]
    assert "hq1" not in codes(cast.charlie.client, org_id=cast.org_b.pk)
    assert cast.charlie.client.get("/api/derp-map", {"org_id": cast.org_a.pk}).status_code == 403


def test_a_disabled_region_is_no_longer_handed_out(cast):
    DerpRegion.objects.create_in(cast.org_a, **OWN, enabled=False)
    assert "hq1" not in codes(cast.alice.client, org_id=cast.org_a.pk)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.0.0.1", "169.254.1.1", "::1", "relay.localhost", "localhost."),
        *("[::1]", "127.1", "2130706433", "0x7f.0.0.1", "relay example", "http://relay.example"),
    ],
)
def test_hosts_inside_a_network_are_refused(cast, host):
    body = {**OWN, "hostname": host, "org_id": str(cast.org_a.pk)}
    response = cast.alice.client.call("/api/db/derp_regions", body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_INPUT")
    assert not DerpRegion.objects.for_org(cast.org_a).exists()


def test_members_may_not_write(cast):
    response = cast.bob.client.call("/api/db/derp_regions", {**OWN, "org_id": str(cast.org_a.pk)})
    assert response.status_code == 403


def test_the_same_map_is_not_sent_twice():
    etag = ApiClient().get("/api/derp-map")["ETag"]
    assert ApiClient().get("/api/derp-map", headers={"If-None-Match": etag}).status_code == 304
    BuiltinRegion.objects.filter(region_code="blr1").update(enabled=False)
    assert ApiClient().get("/api/derp-map", headers={"If-None-Match": etag}).status_code == 200


def test_a_change_raises_the_version_of_the_netmap(cast):
    before = cast.org_a.netmap_version
    cast.alice.client.call("/api/db/derp_regions", {**OWN, "org_id": str(cast.org_a.pk)})
    cast.org_a.refresh_from_db()
    assert cast.org_a.netmap_version > before


def write(path, entries):
    path.write_text(json.dumps(entries))
    return str(path)


def test_the_command_replaces_the_built_in_set_and_twice_is_as_once(cast, tmp_path, capsys):
    file = write(tmp_path / "regions.json", [OWN])
    call_command("relay_regions", file)
    call_command("relay_regions", file)
    assert [row.region_code for row in BuiltinRegion.objects.all()] == ["hq1"]
    assert capsys.readouterr().out.splitlines() == ["1 regions, 5 changed", "1 regions, 0 changed"]


@pytest.mark.parametrize(
    "entries",
    [{}, ["x"], [{**OWN, "region_code": "!"}], [{**OWN, "stun_port": 0}], [{**OWN, "colour": "red"}]],
)
def test_a_bad_file_changes_nothing(tmp_path, entries):
    with pytest.raises(CommandError):
        call_command("relay_regions", write(tmp_path / "regions.json", entries))
    assert BuiltinRegion.objects.count() == 4
