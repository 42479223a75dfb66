"""The control plane signs why peers go only where somebody's change, or a plain fact, is on record."""

import secrets
import time

import jwt
import pytest
from django.apps import apps
from django.utils import timezone

from agent.engine.statements import Loss, NotProven, PinnedKeys
from apps.audit.models import AuditLog
from apps.auth import keyring
from apps.auth.secrets import secret_hash
from apps.core.api.signing import introduced_keys
from apps.machines.changes import RIGHTS, touch_everything
from apps.machines.losses import explained, parse_question, removal
from apps.machines.models import Machine, NetmapChange
from apps.machines.nodes import find_node
from apps.machines.services.heartbeat import Report, take_heartbeat
from apps.machines.services.identity import report_event
from apps.machines.snapshots import _feeds
from apps.machines.tasks import CHANGES_KEPT, prune_netmap
from apps.machines.tests.agents import admin, auth_key, enrol
from apps.orgs.models import Organization
from wire.binary import WireError
from wire.control import MAP_REFUSED
from wire.losses import MAX_NAMED, digest

pytestmark = pytest.mark.django_db


@pytest.fixture
def five(cast):
    _feeds.clear()
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    return [enrol(key, f"m{number}") for number in range(5)]


def version(org):
    return Organization.objects.for_org(org).get().netmap_version


def node_of(agent):
    return find_node(Machine.all_orgs.get(pk=agent.id).node_key_hash)


def question(org, since, peers):
    return {
        "from": since,
        "to": version(org),
        "count": len(peers),
        "lost": digest(peers),
        "nonce": secrets.token_urlsafe(16),
        "peers": list(peers),
    }


def reason(org, agent, since, peers):
    """What was signed, checked as the agent does."""
    body = question(org, since, peers)
    statement = explained(node_of(agent), parse_question(body))
    if statement is None:
        return None
    keys = PinnedKeys()
    keys.learn(introduced_keys())
    asked = Loss(agent.id, str(org.pk), since, body["to"], len(peers), body["lost"], body["nonce"])
    return keys.reason(statement, asked, time.time())


def rules_of(org):
    """Rows of an app above this one."""
    return apps.get_model("policy", "AclRule").objects.for_org(org)


def ids(agents):
    return [agent.id for agent in agents]


def test_nothing_happened_is_no_reason(cast, five):
    assert reason(cast.org_a, five[0], version(cast.org_a), ids(five[1:])) is None


def test_an_emptied_database_has_no_reason(cast, five):
    """Rows that no service took out; whatever else moves the map meanwhile explains nothing."""
    since = version(cast.org_a)
    Machine.objects.for_org(cast.org_a).filter(pk__in=ids(five[1:])).delete()
    touch_everything(cast.org_a)
    assert reason(cast.org_a, five[0], since, ids(five[1:])) is None


def test_an_emptied_policy_has_no_reason(cast, five):
    since = version(cast.org_a)
    rules_of(cast.org_a).delete()
    touch_everything(cast.org_a)
    assert reason(cast.org_a, five[0], since, ids(five[1:])) is None


def test_comings_and_goings_are_no_reason_and_an_edit_is_one(cast, five):
    since = version(cast.org_a)
    rules_of(cast.org_a).delete()
    for agent in five:
        agent.heartbeat(endpoints=["192.0.2.1:41641"])
    assert version(cast.org_a) > since
    assert reason(cast.org_a, five[0], since, ids(five[1:])) is None
    for agent in five:
        agent.heartbeat(status="offline")
    assert reason(cast.org_a, five[0], since, ids(five[1:])) is None
    admin(cast.alice, "update_tags", five[0], tags=["moved"])
    assert reason(cast.org_a, five[0], since, ids(five[1:])) == "machines changed"


def test_an_address_elsewhere_is_one(cast, five):
    """Policy asks for countries and networks."""
    since = version(cast.org_a)
    rules_of(cast.org_a).delete()
    take_heartbeat(node_of(five[0]), Report(address="203.0.113.9"))
    assert reason(cast.org_a, five[0], since, ids(five[1:])) == "machines changed"
    assert reason(cast.org_a, five[1], since, ids(five[2:])) is None


def test_half_a_reason_is_none(cast, five):
    since = version(cast.org_a)
    for agent in five[1:3]:
        admin(cast.alice, "delete", agent)
    assert reason(cast.org_a, five[0], since, ids(five[1:3])) == "machines removed"
    Machine.objects.for_org(cast.org_a).filter(pk__in=ids(five[3:])).delete()
    _feeds.clear()
    assert reason(cast.org_a, five[0], since, ids(five[1:])) is None


def test_a_change_of_policy_is_one(cast, five):
    since = version(cast.org_a)
    for row in rules_of(cast.org_a):
        cast.alice.client.call(
            f"/api/db/acl_rules?org_id={cast.org_a.pk}&id=eq.{row.pk}", {}, method="DELETE"
        )
    assert reason(cast.org_a, five[0], since, ids(five[1:])) == "policy changed"
    assert reason(cast.org_a, five[0], version(cast.org_a), ids(five[1:])) is None


def test_so_are_quarantine_removal_and_lockdown(cast, five):
    since = version(cast.org_a)
    for agent in five[1:3]:
        admin(cast.alice, "quarantine", agent)
    admin(cast.alice, "disable", five[3])
    assert reason(cast.org_a, five[0], since, ids(five[1:4])) == "machines cut off"
    admin(cast.alice, "lock_device", five[0])
    assert reason(cast.org_a, five[0], since, ids(five[1:])) == "this machine is cut off"
    Organization.objects.for_org(cast.org_a).update(lockdown_mode=True)
    assert reason(cast.org_a, five[4], since, ids(five[:3])) == "lockdown"


def test_the_trail_remembers_removals_that_the_log_forgot(cast, five):
    since = version(cast.org_a)
    for agent in five[1:4]:
        admin(cast.alice, "delete", agent)
    NetmapChange.objects.for_org(cast.org_a).delete()
    assert reason(cast.org_a, five[0], since, ids(five[1:4])) == "machines removed"


def age(org):
    """Everything in the log is older than it is kept."""
    rows = NetmapChange.objects.for_org(org)
    rows.update(created_at=timezone.now() - 2 * CHANGES_KEPT)
    touch_everything(org)


def test_changes_of_rights_outlive_other_changes_on_record(cast, five):
    since = version(cast.org_a)
    for row in rules_of(cast.org_a):
        cast.alice.client.call(
            f"/api/db/acl_rules?org_id={cast.org_a.pk}&id=eq.{row.pk}", {}, method="DELETE"
        )
    five[1].heartbeat(endpoints=["192.0.2.1:41641"])
    age(cast.org_a)
    prune_netmap()
    kept = NetmapChange.objects.for_org(cast.org_a).exclude(version=version(cast.org_a))
    assert set(kept.values_list("machine_id", flat=True)) == {RIGHTS}
    assert reason(cast.org_a, five[0], since, ids(five[1:])) == "policy changed"


def test_so_does_an_edit_of_a_machine(cast, five):
    since = version(cast.org_a)
    admin(cast.alice, "update_tags", five[0], tags=["moved"])
    edited = version(cast.org_a)
    rules_of(cast.org_a).delete()
    age(cast.org_a)
    prune_netmap()
    assert reason(cast.org_a, five[0], since, ids(five[1:])) == "machines changed"
    assert reason(cast.org_a, five[0], edited, ids(five[1:])) is None, "it knew of the edit"


def test_other_organisations_explain_nothing(cast, five):
    """A machine of another one asks about machines that were removed here."""
    since = version(cast.org_a)
    for agent in five[1:4]:
        admin(cast.alice, "delete", agent)
    stranger = enrol(auth_key(cast.charlie, cast.org_b)["key"], "stranger")
    asked = parse_question(question(cast.org_b, 0, ids(five[1:4])))
    assert explained(node_of(stranger), asked) is None
    statement = explained(node_of(five[0]), parse_question(question(cast.org_a, since, ids(five[1:4]))))
    claims = jwt.decode(statement, options={"verify_signature": False})
    assert (claims["sub"], claims["org"]) == (five[0].id, str(cast.org_a.pk))


@pytest.mark.parametrize(
    "changes",
    [
        {"from": -1},
        {"to": "9"},
        {"count": None},
        {"lost": "x"},
        {"nonce": ""},
        {"nonce": "x" * 65},
        {"peers": []},
        {"peers": ["x"]},
        {"peers": [1]},
        {"peers": ["00000000-0000-4000-8000-000000000000"] * (MAX_NAMED + 1)},
    ],
)
def test_what_is_no_question_is_refused(cast, five, changes):
    with pytest.raises(WireError):
        parse_question(question(cast.org_a, 0, ids(five[1:])) | changes)


def test_a_refused_map_is_in_the_trail_once(cast, five):
    told = {"kind": MAP_REFUSED, "have": 3, "offered": 9, "lost": 4, "why": "no reason"}
    assert report_event(node_of(five[0]), dict(told))
    assert not report_event(node_of(five[0]), dict(told))
    (row,) = AuditLog.objects.for_org(cast.org_a).filter(action="machine.map_refused")
    assert (row.resource_id, row.details["peers_lost"], row.details["why"]) == (five[0].id, 4, "no reason")
    with pytest.raises(WireError):
        report_event(node_of(five[0]), told | {"lost": "many"})


def test_a_new_signing_key_is_introduced_by_the_one_before(cast):
    pinned = PinnedKeys()
    assert pinned.learn(introduced_keys())
    before = set(pinned.pins)
    for _ in range(2):
        keyring.rotate()
        keyring.forget()
    assert pinned.learn(introduced_keys())
    assert keyring.current()[0] in pinned.pins
    assert keyring.current()[0] not in before


def test_a_dead_node_key_is_proven_dead_only_where_it_is_on_record(cast, five):
    def proven(agent, org=None, key=None):
        proof = removal(f"{org or cast.org_a.pk}/{agent.id}", secret_hash(key or agent.node_key))
        if not proof:
            return False
        keys = PinnedKeys()
        keys.learn(proof["signing_keys"])
        own = {"machine_id": agent.id, "org_id": str(cast.org_a.pk), "node_key": agent.node_key}
        keys.check_removal(proof["statement"], **own, now=time.time())
        return True

    assert not proven(five[0])
    admin(cast.alice, "delete", five[1])
    assert proven(five[1])
    assert not proven(five[1], org=cast.org_b.pk)
    Machine.objects.for_org(cast.org_a).filter(pk=five[2].id).delete()
    assert not proven(five[2]), "a row that vanished"
    # Whoever makes a key up hears that it is none, and nothing that the machine itself would believe.
    with pytest.raises(NotProven):
        proven(five[0], key="nk_live_made_up")
    for claimed in ("", "x", "x/y", f"{cast.org_a.pk}", "/" * 5):
        assert removal(claimed, "0" * 64) == {}
