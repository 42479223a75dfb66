"""Rules by the table, and what they decide in the very next request and in the machines' maps."""

import pytest

from apps.machines.tests.agents import auth_key, enrol
from apps.policy.models import AclRule, PolicyRevision
from apps.policy.tests.calls import close, data, evaluate, rows, rule, trail
from wire.netmap import Netmap

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(cast):
    """Two machines in a network whose starter rule is gone."""
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    found = enrol(key, name="alpha"), enrol(key, name="beta")
    for starter in data(rows(cast.alice, cast.org_a, "acl_rules")):
        data(rows(cast.alice, cast.org_a, "acl_rules", {}, method="DELETE", id=f"eq.{starter['id']}"))
    return found


def map_of(agent):
    return Netmap.from_json(data(agent.heartbeat()))


def test_a_new_organisation_has_one_visible_rule(cast):
    (starter,) = data(rows(cast.bob, cast.org_a, "acl_rules"))
    assert (starter["source"], starter["destination"], starter["priority"]) == ("*", "*", 100_000)
    assert trail(cast.org_a, "acl_rule.")[0][0] == "acl_rule.created"


def test_a_rule_decides_at_once_and_an_edit_too(cast, pair):
    alpha, beta = pair
    nothing = evaluate(cast.bob, cast.org_a, alpha, beta, port=443)
    assert (nothing["allowed"], nothing["reason"], nothing["matched_rule"]) == (False, "default", None)
    made = rule(cast.alice, cast.org_a, name="web", ports="443", protocol="tcp")
    assert made["created_by"] == str(cast.alice.user.pk)
    allowed = evaluate(cast.bob, cast.org_a, alpha, beta, port=443)
    assert (allowed["verdict"], allowed["matched_rule"]["id"]) == ("ALLOW", made["id"])
    denied = evaluate(cast.bob, cast.org_a, alpha, beta, port=8080)
    assert denied["closest_rule"]["id"] == made["id"]
    assert denied["evaluated_conditions"]["port"] == {"expected": "443", "actual": "8080", "met": False}
    change = {"_filters": {"id": made["id"]}, "ports": "80, 443,8080", "name": "more"}
    assert data(rows(cast.alice, cast.org_a, "acl_rules", change, method="PATCH")) == {"changes": 1}
    assert evaluate(cast.bob, cast.org_a, alpha, beta, port=8080)["rule_name"] == "more"
    action = {"_filters": {"id": made["id"]}, "action": "deny"}
    assert data(rows(cast.alice, cast.org_a, "acl_rules", action, method="PATCH")) == {"changes": 1}
    assert evaluate(cast.bob, cast.org_a, alpha, beta, port=8080)["matched_rule"]["action"] == "deny"
    assert [action for action, _ in trail(cast.org_a, "acl_rule.updated")] == ["acl_rule.updated"] * 2


def test_without_a_port_all_ports_must_be_allowed(cast, pair):
    rule(cast.alice, cast.org_a, ports="1-21,23-65535", name="nearly all")
    told = evaluate(cast.bob, cast.org_a, *pair)
    assert not told["allowed"]
    assert [(part["from"], part["to"], part["allowed"]) for part in told["ports"]] == [
        (1, 21, True),
        (22, 22, False),
        (23, 65535, True),
    ]
    rule(cast.alice, cast.org_a, ports="22", name="the rest")
    assert evaluate(cast.bob, cast.org_a, *pair)["allowed"]
    assert not evaluate(cast.bob, cast.org_a, *pair, protocol="*")["allowed"]
    assert not evaluate(cast.bob, cast.org_a, *pair, protocol="icmp")["allowed"]


def test_maps_carry_the_rules_and_follow_them(cast, pair):
    alpha, beta = pair
    assert map_of(beta).peers == {}
    made = rule(cast.alice, cast.org_a, source=alpha.id, destination="beta", ports="22", protocol="tcp")
    assert made["destination"] == beta.id
    told = map_of(beta)
    (peer,) = told.peers.values()
    (line,) = told.packet_filter.chains[peer.inbound]
    assert (line.action, line.protocol, line.ports, line.rule_id) == ("accept", "tcp", ("22",), made["id"])
    # The other way nothing may come, but the one who may knock must know where.
    (other,) = map_of(alpha).peers.values()
    assert other.inbound is None
    data(rows(cast.alice, cast.org_a, "acl_rules", {}, method="DELETE", id=f"eq.{made['id']}"))
    assert map_of(beta).peers == {}


def test_the_second_of_two_administrators_learns_of_the_first(cast):
    made = rule(cast.alice, cast.org_a, name="one")
    change = {"_filters": {"id": made["id"]}, "name": "two", "revision": made["revision"]}
    data(rows(cast.alice, cast.org_a, "acl_rules", change, method="PATCH"))
    error = data(rows(cast.alice, cast.org_a, "acl_rules", change | {"name": "3"}, method="PATCH"), 409)
    assert (error["code"], error["field"]) == ("CONFLICT", "revision")
    assert AclRule.objects.for_org(cast.org_a).get(pk=made["id"]).name == "two"


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({"ports": "0"}, "VALIDATION_ERROR", "ports"),
        ({"ports": "9-1"}, "VALIDATION_ERROR", "ports"),
        ({"protocol": "all"}, "INVALID_INPUT", "protocol"),
        ({"action": "permit"}, "INVALID_INPUT", "action"),
        ({"source": "tag:"}, "VALIDATION_ERROR", "source"),
        ({"destination": "no-such-machine"}, "VALIDATION_ERROR", "destination"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "INVALID_INPUT", "expires_at"),
        ({"src": "tag:a", "source": "tag:b"}, "VALIDATION_ERROR", "source"),
        ({"name": "a\u0007b"}, "INVALID_INPUT", "name"),
        ({"colour": "red"}, "UNKNOWN_FIELD", "colour"),
        ({"priority": 100_001}, "INVALID_INPUT", "priority"),
    ],
)
def test_what_is_no_rule_is_refused_and_stores_nothing(cast, values, code, field):
    before = AclRule.objects.for_org(cast.org_a).count(), PolicyRevision.objects.for_org(cast.org_a).count()
    error = rule(cast.alice, cast.org_a, status=400, **values)
    assert (error["code"], error["field"]) == (code, field)
    after = AclRule.objects.for_org(cast.org_a).count(), PolicyRevision.objects.for_org(cast.org_a).count()
    assert after == before


def test_names_of_nothing_are_told_at_once(cast):
    made = rule(cast.alice, cast.org_a, source="tag:prood,group:Nobody", destination="user:ghost@example.com")
    assert made["unresolved"] == ["group:nobody", "tag:prood", "user:ghost@example.com"]
    assert made["warnings"][0] == "group:nobody names nothing"


def test_short_names_and_exported_rows_go_in(cast):
    body = {
        "name": "short",
        "src": "*",
        "dst": "*",
        "proto": "UDP",
        "time_start": "09:00",
        "time_end": "18:00",
    }
    made = data(rows(cast.alice, cast.org_a, "acl_rules", body, method="POST"), 201)
    assert (made["source"], made["src"], made["protocol"], made["time_hour"]) == ("*", "*", "udp", "09-18")
    assert (made["time_start"], made["time_end"]) == ("09:00", "18:00")
    del made["data"]
    again = data(rows(cast.alice, cast.org_a, "acl_rules", made, method="POST"), 201)
    assert again["id"] != made["id"]
    same = set(made) - {"id", "created_at", "updated_at"}
    assert {name: again[name] for name in same} == {name: made[name] for name in same}


def test_members_read_and_do_not_write(cast):
    assert data(rows(cast.bob, cast.org_a, "acl_rules"))
    assert rule(cast.bob, cast.org_a, status=403)["code"] == "FORBIDDEN"
    assert rule(cast.charlie, cast.org_a, status=403)["code"] == "FORBIDDEN"


def test_equal_values_leave_no_trace(cast):
    made = rule(cast.alice, cast.org_a)
    before = len(trail(cast.org_a, "acl_rule."))
    change = {"_filters": {"id": made["id"]}, "ports": " * ", "priority": 100}
    assert data(rows(cast.alice, cast.org_a, "acl_rules", change, method="PATCH")) == {"changes": 1}
    assert len(trail(cast.org_a, "acl_rule.")) == before


def test_default_allow_is_an_open_door_with_nobody_at_it(cast, pair):
    close(cast.org_a)
    body = {"action": "update_org_settings", "org_id": str(cast.org_a.pk)}
    body |= {"default_deny": False, "confirm": "org-a"}
    assert cast.alice.client.call("/api/org-management", body).status_code == 200
    told = evaluate(cast.bob, cast.org_a, *pair, port=1)
    assert (told["allowed"], told["reason"]) == (True, "default")


def test_a_trial_at_another_time_changes_nothing(cast, pair):
    rule(cast.alice, cast.org_a, time_hour="09-18", day_of_week="mon-fri", source_country="IN")
    trial = {"port": 22, "time_hour": 10, "day_of_week": "tue", "source_country": "in"}
    assert evaluate(cast.bob, cast.org_a, *pair, **trial)["allowed"]
    assert evaluate(cast.bob, cast.org_a, *pair, **trial)["hypothetical"]
    assert not evaluate(cast.bob, cast.org_a, *pair, **trial | {"time_hour": 18})["allowed"]
    assert not evaluate(cast.bob, cast.org_a, *pair, **trial | {"day_of_week": "sat"})["allowed"]
    told = evaluate(cast.bob, cast.org_a, *pair, port=22, time_hour=10, day_of_week="tue")
    assert told["evaluated_conditions"]["source_country"]["actual"] == "unknown"
