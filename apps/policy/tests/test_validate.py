"""acl-validate: what proposed rules would change, asked of the same engine, and nothing stored."""

import pytest

from apps.machines.models import Machine
from apps.machines.tests.agents import admin, auth_key, enrol
from apps.policy.models import AclRule, PolicyRevision
from apps.policy.tests.calls import close, data, rule

WEB = {"name": "web", "source": "*", "destination": "*", "protocol": "tcp", "ports": "443", "priority": 100}


@pytest.fixture
def three(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    machines = [enrol(key, name) for name in ("one", "two", "three")]
    close(cast.org_a)
    return machines


def online(machines):
    for machine in machines:
        assert machine.heartbeat().status_code == 200


def validate(cast, rules, status=200, person=None, **values):
    body = {"org_id": str(cast.org_a.pk), "proposed_rules": rules, **values}
    return data((person or cast.alice).client.call("/api/acl-validate", body), status)


def pair(source, destination, port=0, **values):
    return {"source_machine_id": source.id, "destination_machine_id": destination.id, "port": port, **values}


def test_the_same_rule_again_changes_nothing_and_a_deny_before_it_does(cast, three):
    online(three)
    rule(cast.alice, cast.org_a, **WEB)
    stored = list(AclRule.objects.for_org(cast.org_a).values())
    revisions = PolicyRevision.objects.for_org(cast.org_a).count()
    found = validate(cast, [WEB])
    counts = found["summary"]
    assert (counts["changes"], counts["newly_allowed"], counts["newly_denied"]) == (0, 0, 0)
    assert (found["proposed_rules_count"], found["current_rules_count"]) == (1, 1)
    assert [entry["by"] for entry in found["duplicates"]] == ["web"]
    found = validate(cast, [{**WEB, "name": "no", "action": "deny", "priority": 5}])
    assert found["summary"]["changes"] == found["summary"]["newly_denied"] > 0
    row = next(row for row in found["impact"] if row["changed"])
    assert row["current"] == {"decision": "allow", "rule": {"name": "web"}}
    assert row["proposed"] == {"decision": "deny", "rule": {"name": "no"}}
    assert (row["port"], row["protocol"]) == (443, "tcp")
    assert set(row["source"]) == {"id", "name", "ip"}
    assert list(AclRule.objects.for_org(cast.org_a).values()) == stored
    assert PolicyRevision.objects.for_org(cast.org_a).count() == revisions


def test_ports_are_really_compared(cast, three):
    online(three)
    rule(cast.alice, cast.org_a, **WEB)
    ssh = {**WEB, "name": "ssh", "ports": "22"}
    found = validate(cast, [ssh])
    changed = {row["port"] for row in found["impact"] if row["changed"]}
    same = {row["port"] for row in found["impact"] if not row["changed"]}
    assert (changed, same) == ({22}, {443})
    # Instead of the present rules the proposal takes 443 away.
    found = validate(cast, [ssh], mode="replace")
    decisions = {row["port"]: row["proposed"]["decision"] for row in found["impact"]}
    assert decisions == {22: "allow", 443: "deny"}
    assert AclRule.objects.for_org(cast.org_a).count() == 1


def test_named_connections_are_tried_and_no_others(cast, three):
    rule(cast.alice, cast.org_a, **WEB)
    asked = [
        pair(three[0], three[1], 443),
        pair(three[0], three[1]),
        pair(three[0], three[1], protocol="icmp"),
    ]
    found = validate(cast, [{"source": "*", "destination": "*"}], test_connections=asked)
    assert found["summary"]["connections_tested"] == 3
    told = [(row["port"], row["current"]["decision"], row["proposed"]["decision"]) for row in found["impact"]]
    # Without a port every port must be allowed.
    assert told == [(443, "allow", "allow"), (0, "deny", "allow"), (0, "deny", "allow")]
    assert found["sampled"] is False


def test_with_nobody_online_nothing_is_tried_unless_it_is_asked_for(cast, three):
    Machine.objects.for_org(cast.org_a).update(status="offline")
    assert validate(cast, [WEB])["summary"] == {
        "total_machines": 3,
        "connections_tested": 0,
        "changes": 0,
        "newly_allowed": 0,
        "newly_denied": 0,
    }
    assert validate(cast, [WEB], include_offline=True)["summary"]["newly_allowed"] > 0


def test_machines_that_nothing_tells_apart_are_looked_at_twice_only(cast, three):
    online(three)
    found = validate(cast, [WEB])
    assert (found["summary"]["connections_tested"], found["sampled"]) == (2, True)
    admin(cast.alice, "update_tags", three[2], tags=["db"])
    found = validate(cast, [WEB])
    assert (found["summary"]["connections_tested"], found["sampled"]) == (6, False)


def test_what_leads_nowhere_is_named(cast, three):
    online(three)
    found = validate(cast, [{**WEB, "destination": "tag:nowhere"}])
    assert [entry["destination"] for entry in found["unreachable"]] == ["tag:nowhere"]
    assert found["unresolved"] == ["tag:nowhere"]


@pytest.mark.parametrize(
    ("rules", "details"),
    [
        ([{"destination": "*"}], ["Rule 0: missing source"]),
        ([WEB, {"source": "*"}], ["Rule 1: missing destination"]),
        ([{**WEB, "action": "maybe"}], ["Rule 0: action must be 'allow' or 'deny'"]),
        ([{}], ["Rule 0: missing source", "Rule 0: missing destination"]),
        (["all"], ["Rule 0: must be an object"]),
    ],
)
def test_every_fault_is_named_by_its_rule(cast, three, rules, details):
    error = validate(cast, rules, 400)
    assert (error["code"], error["details"]) == ("VALIDATION_ERROR", details)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"source": text} for text in ("tag:", "999.1.1.1/8", "a\u202eb")),
        *({"ports": text} for text in ("0", "65536", "90-80")),
        {"protocol": "sctp"},
        {"priority": "high"},
        {"expires_at": "2001-01-01T00:00:00Z"},
    ],
)
def test_what_no_rule_may_hold_no_proposal_may(cast, three, wrong):
    error = validate(cast, [WEB, {**WEB, **wrong}], 400)
    assert error["details"][0].startswith("Rule 1: ")
    assert not AclRule.objects.for_org(cast.org_a).exists()


def test_too_much_is_refused(cast, three):
    validate(cast, [WEB] * 501, 400)
    validate(cast, [WEB], 400, test_connections=[pair(three[0], three[1], 70_000)])


def test_only_administrators_ask_and_machines_of_others_are_not_there(cast, three):
    assert validate(cast, [WEB], 403, person=cast.bob)["code"] == "FORBIDDEN"
    validate(cast, [WEB], 403, person=cast.charlie)
    foreign = enrol(auth_key(cast.charlie, cast.org_b)["key"], "spy")
    found = validate(cast, [WEB], test_connections=[pair(foreign, three[0], 443)])
    assert found["impact"] == []
