"""Records of the organisation's own, and their names beside those of machines."""

import pytest

from apps.dns.models import DnsRecord
from apps.dns.tests.calls import data, dns, last_audit, map_of
from apps.machines.tests.agents import admin, auth_key, code, enrol
from wire.naming import DnsRecord as WireRecord

pytestmark = pytest.mark.django_db


def add(cast, name, value="192.0.2.7", **values):
    return dns(cast.alice, cast.org_a, "add_record", name=name, value=value, **values)


@pytest.fixture
def key(cast):
    return auth_key(cast.alice, cast.org_a, reusable=True)["key"]


def test_a_record_reaches_the_machines_and_leaves_them(cast, key):
    agent = enrol(key)
    made = data(add(cast, "DB"), 201)
    assert (made["name"], made["type"], made["value"]) == ("db.org-a.zt.net", "A", "192.0.2.7")
    assert last_audit(cast.org_a)[0] == "dns.record_added"
    assert map_of(agent).dns.records == (WireRecord("db.org-a.zt.net", "A", "192.0.2.7"),)
    listed = data(dns(cast.bob, cast.org_a, "get_settings"))["dns_records"]
    assert {(record["name"], record["source"]) for record in listed} == {
        ("alpha.org-a.zt.net", "machine"),
        ("db.org-a.zt.net", "custom"),
    }
    removed = dns(cast.alice, cast.org_a, "remove_record", record_id=made["id"])
    assert data(removed) == {"deleted": made["id"]}
    assert last_audit(cast.org_a)[0] == "dns.record_removed"
    assert map_of(agent).dns.records == ()


@pytest.mark.parametrize(
    ("name", "kind", "value", "kept"),
    [
        ("a.b.org-a.zt.net", "A", "192.0.2.7", "192.0.2.7"),
        ("db", "AAAA", "2001:DB8::7", "2001:db8::7"),
        ("db", "CNAME", "Files.Example.COM.", "files.example.com"),
        ("db", "CNAME", "files", "files.org-a.zt.net"),
        ("_acme-challenge", "TXT", 'say "x" \\ y', 'say "x" \\ y'),
    ],
)
def test_what_is_a_record(cast, name, kind, value, kept):
    assert data(add(cast, name, value, type=kind), 201)["value"] == kept
    assert code(add(cast, name, value, type=kind)) == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("db", "A", "2001:db8::7"),
        ("db", "A", "localhost"),
        ("db", "A", "0.0.0.0"),
        ("db", "AAAA", "192.0.2.7"),
        ("db", "AAAA", "fe80::1%eth0"),
        ("db", "CNAME", "db"),
        ("db", "CNAME", "no host"),
        ("db", "TXT", "x" * 256),
        ("db", "TXT", "two\nlines"),
        ("db", "MX", "mail.example.com"),
        ("db.example.com", "A", "192.0.2.7"),
        ("db.org-b.zt.net", "A", "192.0.2.7"),
        ("xorg-a.zt.net", "A", "192.0.2.7"),
        ("org-a.zt.net", "A", "192.0.2.7"),
        ("magicdns", "A", "192.0.2.7"),
        ("-db", "A", "192.0.2.7"),
        ("*", "A", "192.0.2.7"),
        ("x" * 64, "A", "192.0.2.7"),
    ],
)
def test_what_is_none(cast, name, kind, value):
    assert code(add(cast, name, value, type=kind)) == (400, "INVALID_INPUT")
    assert not DnsRecord.objects.for_org(cast.org_a).exists()


def test_an_alias_stands_alone(cast):
    data(add(cast, "db"), 201)
    assert code(add(cast, "db", "files", type="CNAME")) == (409, "CONFLICT")
    data(add(cast, "www", "db", type="CNAME"), 201)
    assert code(add(cast, "www")) == (409, "CONFLICT")
    data(add(cast, "db", "192.0.2.8"), 201)


def test_nobody_takes_the_name_of_a_machine_or_of_a_record(cast, key):
    alpha = enrol(key, "alpha")
    assert code(add(cast, "Alpha")) == (409, "CONFLICT")
    data(add(cast, "db"), 201)
    # Whoever enrols as `db` would else share the database's traffic.
    assert enrol(key, "db").name == "db-2"
    assert enrol(key, "magicdns").name == "magicdns-2"
    assert code(admin(cast.alice, "rename", alpha, name="db")) == (409, "CONFLICT")
    assert data(admin(cast.alice, "rename", alpha, name="db1"))["name"] == "db1"


def test_a_machine_takes_its_records_along(cast, key):
    alpha, beta = enrol(key, "alpha"), enrol(key, "beta")
    body = {"org_id": str(cast.org_a.pk), "name": "app", "value": alpha.answer["tailnet_ip"]}
    data(cast.alice.client.call("/api/db/dns_records", {**body, "machine_id": alpha.id}), 201)
    data(add(cast, "db"), 201)
    assert len(map_of(beta).dns.records) == 2
    data(admin(cast.alice, "delete", alpha))
    assert [record.name for record in map_of(beta).dns.records] == ["db.org-a.zt.net"]


def test_watchers_of_the_channel_are_told(cast, key, monkeypatch):
    alpha, told = enrol(key, "alpha"), []
    for module in ("services", "receivers"):
        monkeypatch.setattr(f"apps.dns.{module}.publish", lambda **event: told.append(event))
    made = data(add(cast, "db"), 201)
    data(dns(cast.alice, cast.org_a, "remove_record", record_id=made["id"]))
    body = {"org_id": str(cast.org_a.pk), "name": "app", "value": "192.0.2.7", "machine_id": alpha.id}
    data(cast.alice.client.call("/api/db/dns_records", body), 201)
    data(admin(cast.alice, "delete", alpha))
    data(dns(cast.alice, cast.org_a, "update_settings", override_local_dns=True))
    assert {event["channel"] for event in told} == {"dns"}
    assert {event["org"] for event in told} <= {cast.org_a, cast.org_a.pk}
    seen = [(event["event"], event["table"]) for event in told]
    records = [(event, "dns_records") for event in ("INSERT", "DELETE", "INSERT", "DELETE")]
    assert seen == [*records, ("UPDATE", "org_settings")]


def test_the_table_keeps_the_same_rules(cast):
    body = {"org_id": str(cast.org_a.pk), "name": "db", "value": "192.0.2.7"}
    row = data(cast.alice.client.call("/api/db/dns_records", body), 201)
    assert code(cast.bob.client.call("/api/db/dns_records", {**body, "name": "x"})) == (403, "FORBIDDEN")

    def change(person, **values):
        patch = {"org_id": body["org_id"], "_filters": {"id": row["id"]}, **values}
        return person.client.call("/api/db/dns_records", patch, method="PATCH")

    assert code(change(cast.bob, value="192.0.2.66")) == (403, "FORBIDDEN")
    assert code(change(cast.alice, type="AAAA")) == (400, "INVALID_INPUT")
    assert data(change(cast.alice, value="192.0.2.8")) == {"changes": 1}
    assert last_audit(cast.org_a)[0] == "dns.record_updated"


def test_nobody_reaches_into_another_organisation(cast, key):
    alpha = enrol(key)
    foreign = data(dns(cast.charlie, cast.org_b, "add_record", name="db", value="192.0.2.9"), 201)["id"]
    refused = dns(cast.alice, cast.org_a, "remove_record", record_id=foreign)
    assert code(refused) == (404, "NOT_FOUND")
    body = {"org_id": str(cast.org_b.pk), "name": "app", "value": "192.0.2.9", "machine_id": alpha.id}
    assert code(cast.charlie.client.call("/api/db/dns_records", body)) == (404, "NOT_FOUND")
    assert DnsRecord.objects.for_org(cast.org_b).get().name == "db.org-b.zt.net"
    assert map_of(alpha).dns.records == ()


def test_a_thousand_records_are_enough(cast):
    DnsRecord.all_orgs.bulk_create(
        DnsRecord(org=cast.org_a, name=f"n{n}.org-a.zt.net", type="A", value="192.0.2.7") for n in range(1000)
    )
    assert code(add(cast, "one-more")) == (400, "INVALID_INPUT")
