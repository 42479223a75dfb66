"""What relays report, what they are told for it, and who gets to see it."""

import time
import uuid
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.machines.tests.agents import admin, auth_key, code, enrol
from apps.relays import sessions
from apps.relays.models import BuiltinRegion, DerpRegion, RelaySession
from apps.relays.sessions import LIVE, drop_stale, load_of
from apps.relays.tests.test_regions import OWN
from tests.cast import ApiClient
from wire.binary import encode_key
from wire.relay import MAX_REPORTED, RELAY_KEY_PREFIX

pytestmark = pytest.mark.django_db

LOAD = {"clients": 3, "connections": 4, "frames": 10, "bytes": 2**40, "dropped": 0}


@pytest.fixture
def agent(cast):
    return enrol(auth_key(cast.alice, cast.org_a)["key"])


@pytest.fixture
def foreign(cast):
    return enrol(auth_key(cast.charlie, cast.org_b)["key"], "gamma")


def builtin_relay(capsys, region="blr1"):
    call_command("relay_key", region)
    return ApiClient(capsys.readouterr().out.strip())


@pytest.fixture
def relay(db, capsys):
    return builtin_relay(capsys)


@pytest.fixture
def own_relay(cast):
    DerpRegion.objects.create_in(cast.org_a, **OWN)
    body = {"action": "report_key", "org_id": str(cast.org_a.pk), "region_code": "hq1"}
    return ApiClient(cast.alice.client.call("/api/derp-relay", body).json()["data"]["report_key"])


def session(org, agent, connection="p-1", **changes):
    return {
        "org_id": str(org.pk),
        "key": encode_key(agent.keys.disco),
        "connection": connection,
        "status": "active",
        "issued_at": int(time.time()),
        "public_ip": "198.51.100.7",
        **changes,
    }


def report(client, *told, region="blr1", load=LOAD, process="p"):
    body = {"action": "report", "region": region, "process": process}
    body |= {"sessions": list(told), "load": load}
    return client.call("/api/derp-relay", body)


def rows(org):
    return list(RelaySession.objects.for_org(org).values_list("machine_id", "region_code", "status"))


def test_a_report_is_what_members_see(cast, agent, relay):
    assert report(relay, session(cast.org_a, agent)).json()["data"] == {"cut": []}
    org_id = {"org_id": str(cast.org_a.pk)}
    (row,) = cast.bob.client.get("/api/db/relay_sessions", org_id).json()["data"]
    assert (row["machine_id"], row["region_code"], row["public_ip"]) == (agent.id, "blr1", "198.51.100.7")
    assert set(row) == {
        *("id", "org_id", "machine_id", "region_code", "public_ip", "status", "last_heartbeat", "created_at")
    }
    assert cast.charlie.client.get("/api/db/relay_sessions", org_id).status_code == 403
    assert cast.alice.client.call("/api/db/relay_sessions", org_id).status_code == 403
    BuiltinRegion.objects.exclude(region_code="blr1").delete()
    BuiltinRegion.objects.update(hostname="127.0.0.1", derp_port=9, stun_port=9)
    health = cast.bob.client.call("/api/derp-health", org_id).json()["data"]
    assert (health["active_sessions"], health["total_sessions"]) == (1, 1)
    (shown,) = health["sessions"]
    assert (shown["machine_id"], shown["machine_name"], shown["status"]) == (agent.id, "alpha", "active")
    assert shown["tailnet_ip"] == agent.answer["tailnet_ip"]
    assert health["stats"] == {"relay_regions": 1, "machines_using_relay": 1, "direct_connections": 0}
    other = cast.charlie.client.call("/api/derp-health", {"org_id": str(cast.org_b.pk)}).json()["data"]
    assert (other["active_sessions"], other["sessions"]) == (0, [])
    assert load_of(BuiltinRegion.objects.get().pk) == LOAD


def test_a_session_is_one_row_per_region_and_ends_only_by_its_own_connection(cast, agent, relay, capsys):
    report(relay, session(cast.org_a, agent))
    report(relay, session(cast.org_a, agent, "q-1"))
    # The process that it left is late with its word.
    report(relay, session(cast.org_a, agent, status="ended"))
    machine_id = uuid.UUID(agent.id)
    assert rows(cast.org_a) == [(machine_id, "blr1", "active")]
    report(builtin_relay(capsys, "nyc1"), session(cast.org_a, agent, "q-1", status="ended"), region="nyc1")
    assert rows(cast.org_a) == [(machine_id, "blr1", "active")]
    report(relay, session(cast.org_a, agent, "q-1", status="ended"))
    assert rows(cast.org_a) == [(machine_id, "blr1", "ended")]
    report(relay, session(cast.org_a, agent, "p-2"))
    report(builtin_relay(capsys, "nyc1"), session(cast.org_a, agent, "r-1"), region="nyc1")
    assert sorted(rows(cast.org_a)) == [(machine_id, "blr1", "active"), (machine_id, "nyc1", "active")]


def test_what_is_not_reported_again_has_ended(cast, agent, relay):
    report(relay, session(cast.org_a, agent))
    assert drop_stale() == 0
    RelaySession.objects.for_org(cast.org_a).update(last_heartbeat=timezone.now() - LIVE)
    org_id = {"org_id": str(cast.org_a.pk)}
    assert cast.bob.client.get("/api/db/relay_sessions", org_id).json()["data"] == []
    assert drop_stale() == 1
    report(relay, session(cast.org_a, agent))
    RelaySession.objects.for_org(cast.org_a).update(
        last_heartbeat=timezone.now() - LIVE + timedelta(minutes=1)
    )
    assert drop_stale() == 0


def test_a_deleted_machine_takes_its_sessions_along(cast, agent, relay):
    report(relay, session(cast.org_a, agent))
    assert admin(cast.alice, "delete", agent).status_code == 200
    assert rows(cast.org_a) == []
    assert report(relay, session(cast.org_a, agent)).status_code == 200
    assert rows(cast.org_a) == []


def test_who_is_no_relay_reports_nothing(cast, agent, relay):
    one = session(cast.org_a, agent)
    for client in (ApiClient(), ApiClient(RELAY_KEY_PREFIX + "0" * 64)):
        assert code(report(client, one)) == (401, "UNAUTHORIZED")
    for client in (cast.alice.client, agent.client):
        assert code(report(client, one)) == (403, "FORBIDDEN")
    assert code(report(relay, one, region="nyc1")) == (403, "FORBIDDEN")
    assert rows(cast.org_a) == []


def test_a_relay_may_only_report(cast, agent, relay, own_relay):
    org_id = {"org_id": str(cast.org_a.pk)}
    for client in (relay, own_relay):
        assert client.get("/api/db/machines", org_id).status_code == 403
        assert client.get("/api/derp-map", org_id).status_code == 403
        assert client.call("/api/derp-health", org_id).status_code == 403
        assert client.call("/api/machine-heartbeat", {"status": "online"}).status_code == 403
        body = {"action": "token", "region": "blr1"}
        assert client.call("/api/derp-relay", body).status_code == 403


def test_an_organisations_relay_speaks_for_its_machines_alone(cast, agent, foreign, own_relay):
    mine, other = session(cast.org_a, agent), session(cast.org_b, foreign)
    # Nor is a key of another organisation found under our own.
    lie = session(cast.org_a, foreign)
    assert report(own_relay, mine, other, lie, region="hq1").json()["data"] == {"cut": []}
    assert rows(cast.org_a) == [(uuid.UUID(agent.id), "hq1", "active")]
    assert rows(cast.org_b) == []
    admin(cast.charlie, "quarantine", foreign)
    assert report(own_relay, other, region="hq1").json()["data"] == {"cut": []}


def test_a_builtin_relay_speaks_for_machines_of_all(cast, agent, foreign, relay):
    report(relay, session(cast.org_a, agent), session(cast.org_b, foreign, "p-2"))
    assert rows(cast.org_a) == [(uuid.UUID(agent.id), "blr1", "active")]
    assert rows(cast.org_b) == [(uuid.UUID(foreign.id), "blr1", "active")]


def test_cut_names_what_the_list_does_and_nothing_else(cast, agent, foreign, relay):
    """Whether a machine exists can't be told from it."""
    unknown = session(cast.org_a, agent, key=encode_key(bytes(range(32))))
    nobody = session(cast.org_a, agent, org_id=str(uuid.uuid4()))
    told = [session(cast.org_a, agent), session(cast.org_b, foreign), unknown, nobody]
    assert report(relay, *told).json()["data"] == {"cut": []}
    admin(cast.alice, "quarantine", agent)
    assert report(relay, *told).json()["data"] == {"cut": [encode_key(agent.keys.disco)]}
    later = session(cast.org_a, agent, issued_at=int(time.time()) + 5)
    assert report(relay, later).json()["data"] == {"cut": []}
    cast.org_a.suspended_at = timezone.now()
    cast.org_a.save()
    assert len(report(relay, *told).json()["data"]["cut"]) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"key": "short"},
        {"key": "x" * 5000},
        {"org_id": "a"},
        {"public_ip": "not one"},
        {"status": "both"},
        {"connection": "a b"},
        {"connection": "c" * 41},
        {"issued_at": -1},
        {"issued_at": 2**70},
    ],
)
def test_bad_sessions_are_refused_as_a_whole(cast, agent, relay, change):
    answer = report(relay, session(cast.org_a, agent), session(cast.org_a, agent, **change))
    assert code(answer) == (400, "INVALID_INPUT")
    assert rows(cast.org_a) == []


def test_reports_are_bounded(cast, agent, relay):
    many = [session(cast.org_a, agent)] * (MAX_REPORTED + 1)
    assert code(report(relay, *many)) == (400, "INVALID_INPUT")
    assert code(report(relay, load={**LOAD, "frames": -1})) == (400, "INVALID_INPUT")
    assert code(report(relay, load={"clients": 1})) == (400, "MISSING_FIELDS")


def test_the_queries_of_a_report_do_not_grow_with_it(cast, relay, django_assert_num_queries):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    agents = [enrol(key, f"m{number}") for number in range(12)]
    told = [session(cast.org_a, each, f"p-{number}") for number, each in enumerate(agents)]
    # The key, machines, a transaction's two, the rows, the cuts.
    with django_assert_num_queries(6):
        report(relay, *told)
    assert len(rows(cast.org_a)) == 12


def test_the_load_of_a_regions_processes_is_summed_up(cast, relay, own_relay, monkeypatch):
    region = BuiltinRegion.objects.get(region_code="blr1")
    monkeypatch.setattr(sessions, "MAX_PROCESSES", 2)
    for process in ("a", "b", "b"):
        report(relay, process=process)
    report(own_relay, region="hq1")
    assert load_of(region.pk) == {name: 2 * value for name, value in LOAD.items()}
    for process in ("c", "d", "e"):
        report(relay, process=process)
    assert load_of(region.pk)["clients"] == 3 * LOAD["clients"]
    later = time.time() + sessions.LOAD_KEPT_SECONDS
    monkeypatch.setattr(sessions.time, "time", lambda: later)
    assert load_of(region.pk) == {}


def test_a_new_key_voids_the_old(cast, agent, relay, capsys):
    fresh = builtin_relay(capsys)
    assert code(report(relay, session(cast.org_a, agent))) == (401, "UNAUTHORIZED")
    assert report(fresh, session(cast.org_a, agent)).status_code == 200
    BuiltinRegion.objects.get(region_code="blr1").delete()
    assert code(report(fresh)) == (401, "UNAUTHORIZED")


def test_keys_are_made_by_administrators_for_their_own_regions(cast, own_relay, capsys):
    def make(person, org, region="hq1"):
        body = {"action": "report_key", "org_id": str(org.pk), "region_code": region}
        return person.client.call("/api/derp-relay", body)

    assert make(cast.bob, cast.org_a).status_code == 403
    assert make(cast.charlie, cast.org_a).status_code == 403
    assert code(make(cast.charlie, cast.org_b)) == (404, "NOT_FOUND")
    assert code(make(cast.alice, cast.org_a, "blr1")) == (404, "NOT_FOUND")
    assert report(own_relay, region="hq1").status_code == 200
    key = make(cast.alice, cast.org_a).json()["data"]["report_key"]
    assert code(report(own_relay, region="hq1")) == (401, "UNAUTHORIZED")
    region = DerpRegion.objects.for_org(cast.org_a).get()
    assert key not in (region.report_key_hash, str(AuditLog.objects.for_org(cast.org_a).values_list()))
    made = AuditLog.objects.for_org(cast.org_a).filter(action="relay_region.report_key_made")
    assert made.count() == 2
    call_command("relay_key", "hq1", "--org", cast.org_a.slug)
    assert report(ApiClient(capsys.readouterr().out.strip()), region="hq1").status_code == 200
    assert code(report(ApiClient(key), region="hq1")) == (401, "UNAUTHORIZED")
    for arguments in (["none"], ["blr1", "--org", cast.org_a.slug], ["hq1", "--org", "nobody"]):
        with pytest.raises(CommandError):
            call_command("relay_key", *arguments)


def test_a_suspended_organisations_relay_is_nobody(cast, own_relay):
    cast.org_a.suspended_at = timezone.now()
    cast.org_a.save()
    assert code(report(own_relay, region="hq1")) == (401, "UNAUTHORIZED")
