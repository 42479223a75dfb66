"""The longest policy there may be, where each rule takes as many lines of the filter as one can."""

import json

import pytest

from apps.machines.tests.agents import admin, auth_key, enrol
from apps.policy.models import AclRule
from apps.policy.services.rules import MAX_RULES
from apps.policy.tests.calls import close, evaluate, rule
from wire.netmap import Netmap

LAN = "10.7.0.0/16"


@pytest.fixture
def pair(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    router, laptop = enrol(key, "router"), enrol(key, "laptop")
    body = {"action": "advertise_routes", "machine_id": router.id, "routes": [LAN]}
    assert router.client.call("/api/machine-admin", body).status_code == 200
    assert admin(cast.alice, "approve_routes", router).status_code == 200
    close(cast.org_a)
    AclRule.all_orgs.bulk_create(
        AclRule(
            org=cast.org_a,
            name=f"rule {number}",
            source="*",
            destination="*",
            protocol="*",
            ports=str(number + 1),
            priority=number % 1000,
        )
        for number in range(MAX_RULES)
    )
    return router, laptop


def test_machines_take_their_maps_and_no_rule_more_is_taken(cast, pair):
    router, laptop = pair
    # A rule that goes is a change like any other: the maps are made anew.
    last = AclRule.objects.for_org(cast.org_a).get(name=f"rule {MAX_RULES - 1}")
    url = f"/api/db/acl_rules?org_id={cast.org_a.pk}&id=eq.{last.pk}"
    assert cast.alice.client.call(url, method="DELETE").status_code == 200
    rule(cast.alice, cast.org_a, protocol="*", ports=str(MAX_RULES), name="the last one")
    answer = router.heartbeat()
    assert answer.status_code == 200
    netmap = Netmap.from_json(json.loads(answer.content)["data"])
    assert len(netmap.packet_filter.chains[netmap.peers[laptop.id].inbound]) == 4 * MAX_RULES
    assert evaluate(cast.alice, cast.org_a, laptop, router, port=MAX_RULES)["rule_name"] == "the last one"
    assert not evaluate(cast.alice, cast.org_a, laptop, router, port=MAX_RULES + 1)["allowed"]
    error = rule(cast.alice, cast.org_a, 400, ports="60000", name="one too many")
    assert (error["code"], error["message"]) == ("INVALID_INPUT", f"At most {MAX_RULES} rules")
