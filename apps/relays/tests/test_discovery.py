"""Where machines say they may be met, and who is told."""

import pytest
from django.core.cache import cache

from apps.machines.tests.agents import admin, auth_key, code, enrol
from wire.netmap import MAX_ENDPOINTS

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    return enrol(key, "alpha"), enrol(key, "beta")


def discover(agent, **body):
    return agent.client.call("/api/derp-relay", {"action": "discover", **body})


def told(agent, **body):
    answer = discover(agent, **body)
    assert answer.status_code == 200, answer.content
    return {line["machine_id"]: line for line in answer.json()["data"]["endpoints"]}


def test_peers_hear_of_each_other_and_the_newest_comes_first(cast, pair):
    alpha, beta = pair
    alpha.heartbeat(endpoints=["192.0.2.1:41641"], derp_region="blr1")
    told(alpha, endpoints=["192.0.2.2:41641"], public_endpoint="198.51.100.2:5000")
    (line,) = told(beta).values()
    assert line == {
        "machine_id": alpha.id,
        "endpoints": ["198.51.100.2:5000", "192.0.2.2:41641", "192.0.2.1:41641"],
        "derp_region": "blr1",
    }
    # Nothing said keeps what was said.
    assert set(told(alpha)) == {beta.id}
    assert told(beta)[alpha.id]["endpoints"] == line["endpoints"]
    cache.clear()  # as after five minutes
    assert told(beta)[alpha.id]["endpoints"] == ["192.0.2.1:41641"]


def test_strangers_and_those_without_a_rule_are_told_nothing(cast, pair):
    alpha, beta = pair
    told(alpha, endpoints=["192.0.2.2:41641"])
    gamma = enrol(auth_key(cast.charlie, cast.org_b)["key"], "gamma")
    assert told(gamma) == {}
    url = f"/api/db/acl_rules?org_id={cast.org_a.pk}"
    for rule in cast.alice.client.get(url).json()["data"]:
        cast.alice.client.call(f"{url}&id=eq.{rule['id']}", method="DELETE")
    assert told(beta) == {}


def test_a_machine_out_of_the_network_leaves_and_learns_nothing(cast, pair):
    alpha, beta = pair
    admin(cast.alice, "quarantine", alpha)
    assert told(alpha, endpoints=["192.0.2.9:41641"]) == {}
    assert told(beta) == {}
    admin(cast.alice, "unquarantine", alpha)
    assert "192.0.2.9:41641" not in told(beta)[alpha.id]["endpoints"]
    admin(cast.alice, "delete", alpha)
    assert code(discover(alpha)) == (401, "INVALID_NODE_KEY")


def test_only_machines_may_ask(cast, pair):
    assert cast.alice.client.call("/api/derp-relay", {"action": "discover"}).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"endpoints": [f"192.0.2.1:{port}" for port in range(1, MAX_ENDPOINTS + 2)]},
        {"endpoints": ["nowhere"]},
        {"endpoints": "192.0.2.1:1"},
        {"public_endpoint": "192.0.2.1"},
        {"public_endpoint": "x" * 5000},
    ],
)
def test_bad_endpoints_are_refused(pair, body):
    assert code(discover(pair[0], **body)) == (400, "INVALID_INPUT")


def test_a_machine_may_not_ask_all_the_time(pair):
    answers = [discover(pair[0]).status_code for _ in range(13)]
    assert (answers[:12], answers[12]) == ([200] * 12, 429)


def test_direct_pairs_are_counted_once(cast, pair):
    for agent, peer in (pair, pair[::-1]):
        agent.heartbeat(paths=[{"machine_id": peer.id, "path": "direct", "pqc": "verified"}])
    body = {"org_id": str(cast.org_a.pk)}
    stats = cast.bob.client.call("/api/derp-health", body).json()["data"]["stats"]
    assert (stats["direct_connections"], stats["machines_using_relay"]) == (1, 0)
