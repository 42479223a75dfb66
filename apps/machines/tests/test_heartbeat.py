"""Heartbeats: what they answer, what they change, and that they cost no work on rows."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.machines import tasks
from apps.machines.models import Machine
from apps.machines.tests.agents import Keys, admin, auth_key, b64, code, enrol
from apps.orgs.models import OrgSettings
from tests.cast import ApiClient
from wire.netmap import Netmap


@pytest.fixture
def key(cast):
    return auth_key(cast.alice, cast.org_a, reusable=True)["key"]


def test_a_caller_without_a_version_gets_the_map(key):
    alpha, beta = enrol(key, "alpha"), enrol(key, "beta")
    answer = alpha.heartbeat().json()["data"]
    netmap = Netmap.from_json(answer)
    assert netmap.peers.keys() == {beta.id}
    assert answer["relay_token"].count(".") == 2
    same = alpha.heartbeat(netmap_version=netmap.version).json()["data"]
    assert same["same"] is True
    assert same.keys() == {"status", "same", "netmap_version", "server_time"}


def test_a_foreign_organisation_is_on_no_map(cast, key):
    alpha = enrol(key)
    enrol(auth_key(cast.charlie, cast.org_b)["key"], "stranger")
    assert alpha.heartbeat().json()["data"]["peers"] == []


def test_a_routine_heartbeat_touches_no_row(key):
    alpha = enrol(key)
    version = alpha.heartbeat(version="0.1.0").json()["data"]["netmap_version"]
    alpha.heartbeat(netmap_version=version, version="0.1.0")
    with CaptureQueriesContext(connection) as queries:
        alpha.heartbeat(netmap_version=version, version="0.1.0", paths=[])
    assert [query["sql"] for query in queries] == []


def test_last_seen_and_measurements_are_written_in_batches(cast, key):
    alpha = enrol(key)
    before = Machine.objects.for_org(cast.org_a).get().last_seen
    alpha.heartbeat(derp_latencies={"blr1": 12.5}, connectivity={"udp": True, "unknown": True})
    assert tasks.flush_presence()["machines"] == 1
    assert tasks.flush_presence()["machines"] == 0
    row = Machine.objects.for_org(cast.org_a).get()
    assert row.last_seen > before
    assert (row.derp_latencies, row.client_connectivity) == ({"blr1": 12.5}, {"udp": True})


def test_a_dead_or_unknown_node_key_is_refused(key):
    enrol(key)
    assert code(ApiClient("nk_live_" + "0" * 64).call("/api/machine-heartbeat", {})) == (
        401,
        "INVALID_NODE_KEY",
    )
    assert ApiClient().call("/api/machine-heartbeat", {}).status_code == 401


def test_old_agents_send_the_key_in_the_body(key):
    alpha = enrol(key)
    body = {"node_key": alpha.node_key, "status": "online"}
    assert ApiClient().call("/api/machine-heartbeat", body).status_code == 200


def test_goodbye_is_offline_at_once_and_a_sign_of_life_brings_back(cast, key):
    alpha, beta = enrol(key, "alpha"), enrol(key, "beta")
    assert beta.heartbeat(status="offline").json()["data"]["status"] == "offline"
    [peer] = alpha.heartbeat().json()["data"]["peers"]
    assert peer["online"] is False
    assert beta.heartbeat().json()["data"]["status"] == "online"


def test_an_ephemeral_machine_goes_with_its_goodbye(cast):
    agent = enrol(auth_key(cast.alice, cast.org_a, ephemeral=True)["key"])
    agent.heartbeat(status="offline")
    assert not Machine.objects.for_org(cast.org_a).exists()
    assert code(agent.heartbeat()) == (401, "INVALID_NODE_KEY")


@pytest.mark.parametrize(
    "body",
    [
        {"status": "sleeping"},
        {"netmap_version": "7"},
        {"netmap_version": -1},
        {"endpoints": ["192.0.2.1"]},
        {"endpoints": ["192.0.2.1:1"] * 33},
        {"endpoints": [["192.0.2.1", 1]]},
        {"derp_region": "../x"},
        {"derp_latencies": {"blr1": "fast"}},
        {"derp_latencies": [1]},
        {"connectivity": "good"},
        {"version": "v" * 41},
        {"paths": [{"machine_id": "x", "path": "direct", "pqc": "verified"}]},
        {"paths": [{"machine_id": "00000000-0000-4000-8000-000000000000", "path": "x", "pqc": "verified"}]},
    ],
)
def test_bad_reports_change_nothing(cast, key, body):
    alpha = enrol(key)
    before = Machine.objects.for_org(cast.org_a).values().get()
    assert code(alpha.heartbeat(**body)) == (400, "INVALID_INPUT")
    assert Machine.objects.for_org(cast.org_a).values().get() == before


def test_paths_are_shown_to_members_only_for_their_own_peers(cast, key):
    alpha, beta = enrol(key, "alpha"), enrol(key, "beta")
    stranger = enrol(auth_key(cast.charlie, cast.org_b)["key"], "stranger")
    path = {"path": "direct", "rtt_ms": 1.5, "pqc": "verified", "endpoint": "192.0.2.1:41641"}
    alpha.heartbeat(paths=[{**path, "machine_id": beta.id}, {**path, "machine_id": stranger.id}])
    [shown] = admin(cast.bob, "peers", alpha).json()["data"]["peers"]
    assert (shown["name"], shown["path"], shown["rtt_ms"]) == ("beta", "direct", 1.5)


def test_key_age_counts_from_the_key(cast, key):
    OrgSettings.objects.for_org(cast.org_a).update(key_expiry_days=1)
    alpha = enrol(key)
    Machine.objects.for_org(cast.org_a).update(key_created_at=timezone.now() - timedelta(days=2))
    assert tasks.expire_node_keys()["machines"] == 1
    assert tasks.expire_node_keys()["machines"] == 0
    refresh()
    assert code(alpha.heartbeat()) == (403, "KEY_EXPIRED")
    again = enrol(key, "alpha", previous={"machine_id": alpha.id, "proof": alpha.node_key})
    assert again.heartbeat().status_code == 200


def refresh():
    """The job ran inside this test's transaction, whose commit never comes."""
    cache.clear()


def test_an_expired_key_ends_when_it_lapses_not_when_a_job_runs(cast, key):
    OrgSettings.objects.for_org(cast.org_a).update(key_expiry_days=1)
    alpha = enrol(key)
    Machine.objects.for_org(cast.org_a).update(key_created_at=timezone.now() - timedelta(days=2))
    refresh()
    assert code(alpha.heartbeat()) == (403, "KEY_EXPIRED")


def test_rotation_needs_the_identitys_signature_and_kills_the_old_node_key(cast, key):
    alpha = enrol(key)
    new = Keys(identity=alpha.keys.identity, disco=alpha.keys.disco, mlkem=alpha.keys.mlkem)
    body = {"action": "rotate", "wireguard_public_key": b64(new.wireguard), "rotate_node_key": True}
    forged = {**body, "identity_signature": Keys().fields()["identity_signature"]}
    assert code(alpha.client.call("/api/machine-key", forged)) == (401, "INVALID_SIGNATURE")
    signed = {**body, "identity_signature": new.fields()["identity_signature"]}
    answer = alpha.client.call("/api/machine-key", signed).json()["data"]
    assert Machine.objects.for_org(cast.org_a).get().public_key == b64(new.wireguard)
    assert code(alpha.heartbeat()) == (401, "INVALID_NODE_KEY")
    assert ApiClient(answer["node_key"]).call("/api/machine-heartbeat", {}).status_code == 200


def test_a_machine_cannot_rotate_to_a_peers_key(key):
    alpha, beta = enrol(key, "alpha"), enrol(key, "beta")
    new = Keys(identity=alpha.keys.identity, wireguard=beta.keys.wireguard, disco=alpha.keys.disco)
    new.mlkem = alpha.keys.mlkem
    body = {
        "action": "rotate",
        "wireguard_public_key": b64(new.wireguard),
        "identity_signature": new.fields()["identity_signature"],
    }
    assert code(alpha.client.call("/api/machine-key", body)) == (400, "INVALID_INPUT")
