"""Enrolment by auth key: what succeeds, what fails and in which order, and who may take what over."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.machines.addresses import CAPACITY, nth_address
from apps.machines.models import AuthKey, Machine
from apps.machines.tests.agents import Keys, admin, auth_key, b64, code, enrol, register
from tests.cast import ApiClient
from wire.identity import reenrolment


@pytest.fixture
def key(cast):
    return auth_key(cast.alice, cast.org_a, reusable=True)["key"]


def test_a_machine_joins_with_address_name_and_node_key(cast, key):
    agent = enrol(key, "Alpha Box!")
    row = Machine.objects.for_org(cast.org_a).get()
    assert agent.answer["name"] == "alpha-box"
    assert agent.answer["renamed_from"] is None
    assert agent.answer["tailnet_ip"] == "100.64.0.1"
    assert agent.answer["magicdns_name"] == "alpha-box.org-a.zt.net"
    assert agent.answer["status"] == "online"
    assert agent.node_key not in (row.node_key_hash, "")
    assert not {"private_key", "key"} & agent.answer.keys()
    entry = AuditLog.objects.for_org(cast.org_a).get(action="machine.registered")
    assert entry.details["reactivated"] is False
    assert AuthKey.objects.for_org(cast.org_a).get().used_count == 1


def test_failures_come_in_the_documented_order(cast, key):
    keys = Keys().fields()
    register_at = "/api/register-machine"
    client = ApiClient()
    assert code(client.call(register_at, {"auth_key": "tskey-auth-bad"})) == (400, "MISSING_FIELDS")
    assert code(client.call(register_at, {"name": "a", "os": "linux", **keys})) == (400, "MISSING_FIELDS")
    bad = {"auth_key": "tskey-auth-bad", "name": "///", "os": "linux", **keys}
    assert code(client.call(register_at, bad)) == (401, "INVALID_KEY")
    assert code(client.call(register_at, {**bad, "auth_key": key})) == (400, "INVALID_INPUT")
    named = {"auth_key": key, "hostname": "a", "os": "linux", **keys}
    assert "name" in client.call(register_at, named).json()["error"]["message"]
    assert code(client.call(register_at, {**bad, "auth_key": [key]})) == (401, "INVALID_KEY")
    assert not Machine.objects.for_org(cast.org_a).exists()
    assert AuthKey.objects.for_org(cast.org_a).get().used_count == 0


@pytest.mark.parametrize("field", ["wireguard_public_key", "mlkem_public_key", "identity_public_key"])
@pytest.mark.parametrize("value", ["AAAA", "not base64!", b64(b"x" * 31)])
def test_a_malformed_key_is_named(key, field, value):
    response = register(key, **{field: value})
    assert code(response) == (400, "INVALID_INPUT")
    assert response.json()["error"]["field"] == field


def test_a_forged_signature_is_refused(cast, key):
    signature = Keys().fields()["identity_signature"]
    assert code(register(key, identity_signature=signature)) == (401, "INVALID_SIGNATURE")
    stripped = Keys().fields() | {"mlkem_public_key": None}
    assert code(register(key, **stripped)) == (401, "INVALID_SIGNATURE")
    assert not Machine.objects.for_org(cast.org_a).exists()


def test_a_single_use_key_admits_one(cast):
    key = auth_key(cast.alice, cast.org_a)["key"]
    enrol(key)
    assert code(register(key, "beta")) == (401, "KEY_USED")
    assert AuthKey.objects.for_org(cast.org_a).get().used_count == 1


def test_expired_revoked_and_foreign_keys_are_refused(cast):
    made = auth_key(cast.alice, cast.org_a, reusable=True)
    row = AuthKey.objects.for_org(cast.org_a).filter(pk=made["id"])
    row.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert code(register(made["key"])) == (401, "INVALID_KEY")
    row.update(expires_at=timezone.now() + timedelta(days=1), revoked=True)
    assert code(register(made["key"])) == (401, "INVALID_KEY")


def test_a_key_bound_to_networks_ignores_forged_forwarding(cast):
    key = auth_key(cast.alice, cast.org_a, allowed_cidrs=["192.0.2.0/24"])["key"]
    body = {"auth_key": key, "name": "a", "os": "linux", **Keys().fields()}
    response = ApiClient().call("/api/register-machine", body, **{"X-Forwarded-For": "192.0.2.7"})
    assert code(response) == (403, "IP_NOT_ALLOWED")


def test_only_failures_are_limited(cast, key):
    for number in range(12):
        enrol(key, f"m{number}")
    for number in range(10):
        assert code(register(f"tskey-auth-{number:064}")) == (401, "INVALID_KEY")
    assert code(register(key)) == (429, "RATE_LIMITED")


def test_a_name_is_never_taken_over_without_proof(cast, key):
    victim = enrol(key, "web")
    second = enrol(key, "WEB")
    assert second.name == "web-2"
    assert second.answer["renamed_from"] == "web"
    assert second.id != victim.id
    assert victim.heartbeat().status_code == 200


def test_the_old_node_key_proves_a_machine(cast, key):
    agent = enrol(key, "web")
    again = enrol(key, "web", previous={"machine_id": agent.id, "proof": agent.node_key})
    assert (again.id, again.answer["tailnet_ip"]) == (agent.id, agent.answer["tailnet_ip"])
    assert code(agent.heartbeat()) == (401, "INVALID_NODE_KEY")
    assert again.heartbeat().status_code == 200


def test_a_spent_key_serves_the_machine_that_it_made(cast):
    key = auth_key(cast.alice, cast.org_a)["key"]
    agent = enrol(key, "web")
    enrol(key, "web", previous={"machine_id": agent.id, "proof": agent.node_key})
    assert AuthKey.objects.for_org(cast.org_a).get().used_count == 1


def test_the_old_identity_proves_a_machine_only_for_this_enrolment(cast, key):
    agent, new = enrol(key, "web"), Keys()
    message = reenrolment(machine_id=agent.id, auth_key=key, bundle=new.bundle)
    proof = b64(agent.keys.identity.sign(message))
    other = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    previous = {"machine_id": agent.id, "proof": proof}
    assert code(register(other, "web", keys=new, previous=previous)) == (401, "INVALID_SIGNATURE")
    assert enrol(key, "web", keys=new, previous=previous).id == agent.id


def test_a_bundle_that_every_peer_knows_proves_nothing(cast, key):
    agent = enrol(key, "web")
    replayed = agent.keys.fields()
    previous = {"machine_id": agent.id, "proof": replayed["identity_signature"]}
    assert code(register(key, "web", keys=agent.keys, previous=previous)) == (401, "INVALID_SIGNATURE")
    response = register(key, "other", keys=agent.keys)
    assert code(response) == (409, "CONFLICT")
    assert agent.heartbeat().status_code == 200


def test_a_return_keeps_its_restrictions(cast, key):
    agent = enrol(key, "web")
    assert admin(cast.alice, "quarantine", agent).status_code == 200
    again = enrol(key, "web", previous={"machine_id": agent.id, "proof": agent.node_key})
    assert again.answer["status"] == "quarantined"


def test_a_foreign_machine_is_not_taken_over(cast, key):
    agent = enrol(key, "web")
    foreign = auth_key(cast.charlie, cast.org_b, reusable=True)["key"]
    taken = enrol(foreign, "web", previous={"machine_id": agent.id, "proof": agent.node_key})
    assert taken.id != agent.id
    assert taken.answer["org_id"] == str(cast.org_b.pk)


def test_tags_are_those_of_the_key_and_the_allowed_ones(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True, tags=["ci"], allowed_tags=["db"])["key"]
    agent = enrol(key, tags=["tag:db", "prod"])
    assert agent.answer["tags"] == ["ci", "db"]
    assert agent.answer["tags_refused"] == ["prod"]


def test_client_setup_is_owned_and_comes_back(cast):
    body = {"org_id": str(cast.org_a.pk), "name": "laptop", "os": "darwin"}
    first = cast.bob.client.call("/api/client-setup", body | Keys().fields()).json()["data"]
    second = cast.bob.client.call("/api/client-setup", body | Keys().fields()).json()["data"]
    other = cast.alice.client.call("/api/client-setup", body | Keys().fields()).json()["data"]
    assert first["machine_id"] == second["machine_id"] != other["machine_id"]
    assert Machine.objects.for_org(cast.org_a).get(pk=first["machine_id"]).owner_id == cast.bob.user.pk
    assert "private" not in str(second["wireguard"])
    foreign = cast.charlie.client.call("/api/client-setup", body | Keys().fields())
    assert code(foreign) == (403, "FORBIDDEN")


def test_addresses_leave_out_ends_and_resolver():
    prefix = "fd12:3456:789a::/48"
    assert nth_address(0, prefix) == ("100.64.0.1", "fd12:3456:789a::6440:1")
    assert nth_address(253, prefix).ipv4 == "100.64.0.254"
    assert nth_address(254, prefix).ipv4 == "100.64.1.1"
    around = [nth_address(9316 * 254 + number, prefix).ipv4 for number in range(97, 101)]
    assert around == ["100.100.100.98", "100.100.100.99", "100.100.100.101", "100.100.100.102"]
    assert nth_address(CAPACITY - 1, prefix).ipv4 == "100.127.255.254"
