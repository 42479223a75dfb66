"""Whether machines log flows: off until the organisation asks for it."""

from apps.machines.tests.agents import auth_key, enrol
from wire.netmap import Netmap


def filter_of(agent, **known):
    response = agent.heartbeat(**known)
    assert response.status_code == 200, response.content
    return Netmap.from_json(response.json()["data"]).packet_filter


def test_the_filter_says_so_and_becomes_another_one(cast):
    machine = enrol(auth_key(cast.alice, cast.org_a)["key"], "server")
    before = filter_of(machine)
    assert before.log is False
    body = {"action": "update_org_settings", "org_id": str(cast.org_a.pk), "flow_logs_enabled": True}
    assert cast.alice.client.call("/api/org-management", body).status_code == 200
    after = filter_of(machine)
    assert after.log is True
    assert after.version != before.version
