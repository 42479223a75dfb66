"""What people may do to machines, and what each of the four roles and an outsider may not."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.auth.services import step_up
from apps.machines.models import AgentCommand, AuthKey, Machine
from apps.machines.receivers import stop_machines
from apps.machines.tests.agents import Agent, Keys, admin, auth_key, code, enrol
from apps.orgs.models import OrgSettings
from tests.cast import PASSWORD


@pytest.fixture
def key(cast):
    return auth_key(cast.alice, cast.org_a, reusable=True)["key"]


@pytest.fixture
def agent(key):
    return enrol(key, "alpha")


@pytest.fixture
def owned(cast):
    """Bob's own machine."""
    return set_up(cast.bob, cast.org_a, "bobs").id


def set_up(person, org, name):
    """A machine that its person enrols."""
    keys = Keys()
    body = {"org_id": str(org.pk), "name": name, "os": "linux", **keys.fields()}
    answer = person.client.call("/api/client-setup", body).json()["data"]
    return Agent(answer["machine_id"], name, answer["node_key"], keys, answer)


def row(cast, machine_id):
    return Machine.objects.for_org(cast.org_a).get(pk=machine_id)


ADMIN_ONLY = {
    "approve": {},
    "reject": {},
    "quarantine": {},
    "unquarantine": {},
    "delete": {},
    "set_key_expiry": {"disabled": True},
    "expire_key": {},
    "lock_device": {},
    "unlock_device": {},
    "set_owner": {"owner_id": None},
    "update_tags": {"tags": ["prod"]},
}


@pytest.mark.parametrize("action", ADMIN_ONLY)
def test_an_owner_who_is_only_a_member_may_not(cast, owned, action):
    before = Machine.objects.for_org(cast.org_a).values().get(pk=owned)
    assert code(admin(cast.bob, action, owned, **ADMIN_ONLY[action])) == (403, "FORBIDDEN")
    assert Machine.objects.for_org(cast.org_a).values().get(pk=owned) == before


@pytest.mark.parametrize("action", [*ADMIN_ONLY, "rename", "enable", "disable", "peers"])
def test_a_foreign_machine_answers_like_an_unknown_one(cast, agent, action):
    values = {"name": "x", **ADMIN_ONLY.get(action, {})}
    assert code(admin(cast.charlie, action, agent, **values)) == (404, "NOT_FOUND")
    named = {**values, "org_id": str(cast.org_b.pk)}
    assert code(admin(cast.charlie, action, agent, **named)) == (404, "NOT_FOUND")
    assert code(admin(cast.alice, action, str(uuid.uuid4()), **values)) == (404, "NOT_FOUND")


def test_approval_opens_the_network(cast):
    OrgSettings.objects.for_org(cast.org_a).update(approval_required=True)
    agent = enrol(auth_key(cast.alice, cast.org_a)["key"])
    assert agent.answer["status"] == "pending"
    assert code(agent.heartbeat()) == (403, "PENDING_APPROVAL")
    answer = admin(cast.alice, "approve", agent).json()["data"]
    assert answer["status"] == "online", "a pending heartbeat counts as a sign of life"
    assert answer["approved_by"] == str(cast.alice.user.pk)
    assert agent.heartbeat().status_code == 200
    assert code(admin(cast.alice, "approve", agent)) == (400, "INVALID_STATE")


def test_a_pre_approved_key_needs_no_approval(cast):
    OrgSettings.objects.for_org(cast.org_a).update(approval_required=True)
    assert enrol(auth_key(cast.alice, cast.org_a, pre_approved=True)["key"]).answer["status"] == "online"


def test_rejecting_removes_a_pending_machine_and_no_other(cast, agent):
    assert code(admin(cast.alice, "reject", agent)) == (400, "INVALID_STATE")
    OrgSettings.objects.for_org(cast.org_a).update(approval_required=True)
    pending = enrol(auth_key(cast.alice, cast.org_a)["key"], "beta")
    assert admin(cast.alice, "reject", pending).status_code == 200
    assert code(pending.heartbeat()) == (401, "INVALID_NODE_KEY")


def test_quarantine_cuts_and_its_remedy_restores(cast, agent, key):
    enrol(key, "beta")
    assert admin(cast.alice, "quarantine", agent, reason="stolen").json()["data"] == {
        "machine_id": agent.id,
        "status": "quarantined",
        "quarantine_reason": "admin",
    }
    answer = agent.heartbeat().json()["data"]
    assert (answer["status"], answer["quarantined"], answer["peers"]) == ("quarantined", True, [])
    assert answer["relay_token"] is None
    assert code(admin(cast.alice, "enable", agent)) == (400, "INVALID_STATE")
    assert admin(cast.alice, "unquarantine", agent).json()["data"]["status"] == "online"
    assert len(agent.heartbeat().json()["data"]["peers"]) == 1


def test_what_an_administrator_disabled_its_owner_may_not_enable(cast, owned):
    assert admin(cast.bob, "disable", owned).json()["data"]["status"] == "offline"
    assert admin(cast.bob, "enable", owned).status_code == 200
    admin(cast.alice, "disable", owned)
    refused = admin(cast.bob, "enable", owned)
    assert code(refused) == (403, "FORBIDDEN")
    assert "administrator" in refused.json()["error"]["message"]
    admin(cast.bob, "disable", owned)
    assert code(admin(cast.bob, "enable", owned)) == (403, "FORBIDDEN")
    assert admin(cast.alice, "enable", owned).status_code == 200


def test_a_disabled_machine_stays_offline_whatever_it_sends(cast, agent, key):
    enrol(key, "beta")
    admin(cast.alice, "disable", agent)
    answer = agent.heartbeat().json()["data"]
    assert (answer["status"], answer["admin_disabled"], answer["peers"]) == ("offline", True, [])
    assert row(cast, agent.id).status == "offline"


def test_renaming(cast, agent, key):
    beta = enrol(key, "beta")
    renamed = admin(cast.alice, "rename", beta, name="prod-1").json()["data"]
    assert renamed["magicdns_name"] == "prod-1.org-a.zt.net"
    for name in ("", "x" * 101, "@#$%"):
        assert admin(cast.alice, "rename", beta, name=name).status_code == 400
    assert code(admin(cast.alice, "rename", beta, name="ALPHA")) == (409, "CONFLICT")
    entry = AuditLog.objects.for_org(cast.org_a).get(action="machine.renamed")
    assert (entry.details["before"], entry.details["after"]) == ("beta", "prod-1")


def test_tags(cast, agent):
    tags = admin(cast.alice, "update_tags", agent, tags=["tag:staging", "docker", "docker"])
    assert tags.json()["data"]["tags"] == ["staging", "docker"]
    refused = admin(cast.alice, "update_tags", agent, tags="staging")
    assert (code(refused), refused.json()["error"]["message"]) == (
        (400, "INVALID_INPUT"),
        "tags must be an array",
    )
    for tags in (["x" * 51], ["a b"], [7]):
        assert code(admin(cast.alice, "update_tags", agent, tags=tags)) == (400, "INVALID_INPUT")
    assert admin(cast.alice, "update_tags", agent, tags=[]).json()["data"]["tags"] == []
    assert code(admin_as(agent, "update_tags", tags=["prod"])) == (403, "FORBIDDEN")


def admin_as(agent, action, **values):
    """The machine about itself."""
    return agent.client.call("/api/machine-admin", {"action": action, "machine_id": agent.id, **values})


def test_flags(cast, agent, owned):
    sent = {"shields_up": True, "ssh_enabled": True, "accept_routes": False}
    assert admin(cast.alice, "update_flags", agent, **sent).json()["data"] == {"machine_id": agent.id, **sent}
    refused = admin(cast.alice, "update_flags", agent)
    assert refused.json()["error"]["message"] == "At least one flag must be provided"
    assert code(admin(cast.alice, "update_flags", agent, shields_up="true")) == (400, "INVALID_INPUT")
    assert code(admin(cast.bob, "update_flags", agent, shields_up=False)) == (403, "FORBIDDEN")
    assert admin(cast.bob, "update_flags", owned, shields_up=True).status_code == 200
    assert code(admin(cast.alice, "update_flags", agent, advertise_exit_node=True)) == (403, "FORBIDDEN")
    assert admin_as(agent, "update_flags", shields_up=False).status_code == 200
    other = admin_as(agent, "update_flags", shields_up=False, machine_id=owned)
    assert code(other) == (403, "FORBIDDEN")


def test_update_is_all_or_nothing(cast, agent):
    refused = admin(cast.alice, "update", agent, name="new", tags=["a b"])
    assert code(refused) == (400, "INVALID_INPUT")
    assert row(cast, agent.id).name == "alpha"
    admin(cast.alice, "update", agent, name="new", tags=["db"], flags={"shields_up": True})
    machine = row(cast, agent.id)
    assert (machine.name, machine.tags, machine.shields_up) == ("new", ["db"], True)


def test_deleting_kills_the_node_key_and_leaves_a_trace(cast, agent):
    agent.heartbeat()
    assert admin(cast.alice, "delete", agent).json()["data"]["deleted"] == agent.id
    assert code(agent.heartbeat()) == (401, "INVALID_NODE_KEY")
    assert code(admin(cast.alice, "delete", agent)) == (404, "NOT_FOUND")
    assert AuditLog.objects.for_org(cast.org_a).get(action="machine.deleted").details["name"] == "alpha"


def test_a_wipe_needs_proof_and_the_confirming_words(cast, agent):
    assert code(admin(cast.alice, "wipe_device", agent)) == (403, "STEP_UP_REQUIRED")
    step_up(session=cast.alice.session, password=PASSWORD)
    assert code(admin(cast.alice, "wipe_device", agent, confirm="yes")) == (400, "CONFIRMATION_REQUIRED")
    queued = admin(cast.alice, "wipe_device", agent, confirm=f"WIPE-{agent.id}")
    assert queued.status_code == 202
    [order] = agent.heartbeat().json()["data"]["pending_commands"]
    assert order["command_type"] == "wipe"
    body = {"action": "result", "command_id": order["id"], "status": "completed"}
    assert agent.client.call("/api/agent-command", body).status_code == 200
    assert code(agent.heartbeat()) == (401, "INVALID_NODE_KEY")
    assert AgentCommand.objects.for_org(cast.org_a).get().status == "completed"


def test_a_second_wipe_in_ten_minutes_needs_a_second_administrator(cast, agent, key):
    dora = cast.join("dora@example.com", "admin")
    for person in (cast.alice, dora):
        step_up(session=person.session, password=PASSWORD)
    beta = enrol(key, "beta")
    assert admin(cast.alice, "wipe_device", agent, confirm=f"WIPE-{agent.id}").status_code == 202
    refused = admin(cast.alice, "wipe_device", beta, confirm=f"WIPE-{beta.id}")
    assert code(refused) == (403, "FOUR_EYES_REQUIRED")
    assert admin(dora, "wipe_device", beta, confirm=f"WIPE-{beta.id}").status_code == 202


def test_bulk_judges_each_and_a_dry_run_changes_nothing(cast, agent, key):
    beta = enrol(key, "beta")
    foreign = enrol(auth_key(cast.charlie, cast.org_b)["key"], "gamma")
    body = {
        "action": "bulk",
        "org_id": str(cast.org_a.pk),
        "operation": "quarantine",
        "machine_ids": [agent.id, beta.id, foreign.id],
    }
    dry = cast.alice.client.call("/api/machine-admin", body).json()["data"]
    assert dry == {"matched": 2, "changed": 2, "skipped": [{"id": foreign.id, "code": "NOT_FOUND"}]}
    assert row(cast, beta.id).status == "online"
    cast.alice.client.call("/api/machine-admin", {**body, "dry_run": False})
    assert row(cast, beta.id).status == "quarantined"
    assert Machine.objects.for_org(cast.org_b).get().status == "online"


def test_bulk_takes_conditions_within_the_organisation(cast, agent, key):
    beta = enrol(key, "beta")
    enrol(auth_key(cast.charlie, cast.org_b)["key"], "beta")
    body = {"action": "bulk", "org_id": str(cast.org_a.pk), "operation": "quarantine", "dry_run": False}
    for filters, refused in (
        ({}, "UNSAFE_UPDATE"),
        ([{"column": "node_key_hash", "op": "=", "value": "x"}], "INVALID_FILTER"),
        (None, "MISSING_FIELDS"),
    ):
        assert code(cast.alice.client.call("/api/machine-admin", {**body, "filters": filters})) == (
            400,
            refused,
        )
    assert code(cast.alice.client.call("/api/machine-admin", body)) == (400, "MISSING_FIELDS")
    assert code(cast.bob.client.call("/api/machine-admin", {**body, "filters": {"name": "beta"}}))[0] == 403
    wanted = {**body, "filters": [{"column": "name", "op": "like", "value": "be*"}]}
    answer = cast.alice.client.call("/api/machine-admin", wanted).json()["data"]
    assert answer == {"matched": 1, "changed": 1, "skipped": []}
    assert (row(cast, beta.id).status, row(cast, agent.id).status) == ("quarantined", "online")
    assert Machine.objects.for_org(cast.org_b).get().status == "online"


def test_machines_of_a_revoked_key_are_quarantined(cast):
    made = auth_key(cast.alice, cast.org_a, reusable=True)
    agents = [enrol(made["key"], f"m{number}") for number in range(3)]
    body = {"action": "revoke_auth_key", "org_id": str(cast.org_a.pk), "key_id": made["id"]}
    assert cast.alice.client.call("/api/key-management", body).json()["data"]["machines_quarantined"] == 3
    assert cast.alice.client.call("/api/key-management", body).json()["data"]["machines_quarantined"] == 0
    assert agents[0].heartbeat().json()["data"]["quarantine_reason"] == "key_revoked"


def test_machines_of_a_removed_member_are_cut_off(cast, owned):
    stopped = stop_machines(None, org=cast.org_a, user_id=cast.bob.user.pk, actor=cast.alice.actor)
    assert stopped == 1
    machine = row(cast, owned)
    assert (machine.quarantine_reason, machine.owner_id) == ("member_removed", None)


def test_the_table_runs_the_same_checks(cast, agent, owned):
    url = f"/api/db/machines?id=eq.{agent.id}"
    assert cast.alice.client.call(url, {"name": "table"}, method="PATCH").status_code == 200
    assert row(cast, agent.id).name == "table"
    for values in ({"status": "online"}, {"last_seen": None}, {"quarantine_reason": None}):
        refused = cast.alice.client.call(url, values, method="PATCH")
        assert code(refused) == (403, "FIELD_NOT_WRITABLE")
    assert code(cast.bob.client.call(url, {"name": "mine"}, method="PATCH")) == (403, "FORBIDDEN")
    own = f"/api/db/machines?id=eq.{owned}"
    assert cast.bob.client.call(own, {"shields_up": True}, method="PATCH").status_code == 200
    assert cast.bob.client.call(own, {"tags": ["prod"]}, method="PATCH").status_code == 403
    body = {"org_id": str(cast.org_a.pk), "name": "x"}
    assert code(cast.alice.client.call("/api/db/machines", body)) == (403, "FORBIDDEN")
    shown = cast.bob.client.get("/api/db/machines", {"org_id": str(cast.org_a.pk)}).content.decode()
    assert "node_key" not in shown


def test_the_dashboard_counts_all_that_is_not_online_as_offline(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    agents = [enrol(key, name=name) for name in ("alpha", "beta", "gamma")]
    admin(cast.alice, "quarantine", agents[0])
    agents[1].heartbeat(status="offline")
    agents[2].heartbeat()
    body = {"fn": "get_dashboard_stats", "_org_id": str(cast.org_a.pk)}
    stats = cast.bob.client.call("/api/db/_rpc", body).json()["data"]
    counts = [stats[name] for name in ("machineCount", "onlineCount", "offlineCount", "machines_truncated")]
    assert counts == [3, 1, 2, False]
    seen = [row["last_seen"] for row in stats["machines"]]
    assert seen == sorted(seen, reverse=True)
    assert {row["name"] for row in stats["machines"]} == {"alpha", "beta", "gamma"}
    assert cast.charlie.client.call("/api/db/_rpc", body).status_code == 403


def test_the_dashboard_warns_of_keys_that_expire_and_machines_that_fell_silent(cast):
    now = timezone.now()
    agents = [enrol(auth_key(cast.alice, cast.org_a, expiry_days=6)["key"], name="alpha")]
    for days in (8, 1, 1):
        auth_key(cast.alice, cast.org_a, expiry_days=days, name=f"{days}")
    AuthKey.objects.for_org(cast.org_a).filter(name="1").update(revoked=True)
    agents.append(enrol(auth_key(cast.alice, cast.org_a)["key"], name="beta"))
    AuthKey.objects.for_org(cast.org_a).filter(name="8").update(expires_at=now - timedelta(days=1))
    Machine.objects.for_org(cast.org_a).filter(pk=agents[0].id).update(last_seen=now - timedelta(minutes=4))
    body = {"fn": "get_dashboard_stats", "_org_id": str(cast.org_a.pk)}
    stats = cast.alice.client.call("/api/db/_rpc", body).json()["data"]
    assert (stats["keysExpiringSoon"], stats["unresponsiveCount"]) == (1, 1)


def test_a_pending_machine_of_a_removed_member_goes_on_waiting(cast):
    agents = {name: set_up(cast.bob, cast.org_a, name) for name in ("online", "offline", "cut")}
    agents["offline"].heartbeat(status="offline")
    admin(cast.alice, "quarantine", agents["cut"])
    OrgSettings.objects.for_org(cast.org_a).update(approval_required=True)
    agents["pending"] = set_up(cast.bob, cast.org_a, "pending")
    body = {"action": "remove_member", "org_id": str(cast.org_a.pk), "target_user_id": str(cast.bob.user.pk)}
    answer = cast.alice.client.call("/api/org-management", body).json()["data"]
    assert answer["machines_quarantined"] == 2
    rows = Machine.objects.for_org(cast.org_a).values_list("name", "status", "quarantine_reason", "owner")
    assert sorted(rows) == [
        ("cut", "quarantined", "admin", None),
        ("offline", "quarantined", "member_removed", None),
        ("online", "quarantined", "member_removed", None),
        ("pending", "pending", None, None),
    ]
