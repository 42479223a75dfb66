"""Nameservers: what is one, who may change them, and what machines are told."""

import pytest

from apps.dns.models import DnsConfig
from apps.dns.tests.calls import data, dns, last_audit, map_of
from apps.machines.tests.agents import auth_key, code, enrol

pytestmark = pytest.mark.django_db


def add(cast, nameserver, **values):
    return dns(cast.alice, cast.org_a, "add_nameserver", nameserver=nameserver, **values)


def test_members_read_and_administrators_write(cast):
    made = data(add(cast, "192.0.2.53"), 201)
    assert made == {"id": made["id"], "nameserver": "192.0.2.53", "type": "global", "domains": []}
    assert last_audit(cast.org_a)[0] == "dns.nameserver_added"
    split = data(add(cast, "10.0.0.53", type="split", domains=["Internal.Corp.", "dev.corp"]), 201)
    assert split["domains"] == ["internal.corp", "dev.corp"]
    data(dns(cast.charlie, cast.org_b, "add_nameserver", nameserver="9.9.9.9"), 201)
    assert data(dns(cast.bob, cast.org_a, "get_settings"))["nameservers"] == [made, split]
    assert code(dns(cast.bob, cast.org_a, "add_nameserver", nameserver="9.9.9.9")) == (403, "FORBIDDEN")
    assert code(dns(cast.alice, cast.org_b, "get_settings")) == (403, "FORBIDDEN")
    gone = dns(cast.alice, cast.org_a, "remove_nameserver", nameserver_id=made["id"])
    assert data(gone) == {"deleted": made["id"]}
    assert data(dns(cast.bob, cast.org_a, "get_settings"))["nameservers"] == [split]


def test_nobody_reaches_into_another_organisation(cast):
    foreign = data(dns(cast.charlie, cast.org_b, "add_nameserver", nameserver="9.9.9.9"), 201)["id"]
    refused = dns(cast.alice, cast.org_a, "remove_nameserver", nameserver_id=foreign)
    assert code(refused) == (404, "NOT_FOUND")
    body = {"_filters": {"id": foreign}, "nameserver": "192.0.2.66", "org_id": str(cast.org_a.pk)}
    assert code(cast.alice.client.call("/api/db/dns_configs", body, method="PATCH")) == (404, "NOT_FOUND")
    for action in ("add_nameserver", "get_settings", "update_settings"):
        assert code(dns(cast.charlie, cast.org_a, action, nameserver="9.9.9.9")) == (403, "FORBIDDEN")
    assert DnsConfig.objects.for_org(cast.org_b).get().nameserver == "9.9.9.9"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" 9.9.9.9 ", "9.9.9.9"),
        ("2001:DB8::0053", "2001:db8::53"),
        ("tls://9.9.9.9", "tls://9.9.9.9"),
        ("tls://DNS.example.com", "tls://dns.example.com"),
        ("tls://dns.example.com@9.9.9.9", "tls://dns.example.com@9.9.9.9"),
    ],
)
def test_what_is_a_nameserver(cast, given, kept):
    assert data(add(cast, given), 201)["nameserver"] == kept
    assert code(add(cast, given)) == (409, "CONFLICT")


@pytest.mark.parametrize(
    "given",
    [
        *("not-an-ip", "dns.example.com", "9.9.9", "9.9.9.9:53", "[2001:db8::53]", "fe80::1%eth0"),
        *("127.0.0.1", "::1", "0.0.0.0", "224.0.0.1", "100.100.100.100", "169.254.169.254"),
        *("tls://", "tls://bad host", "tls://9.9.9.999", "tls://@", "tls://dns.example.com@", "https://x"),
        *("tls://9.9.9.9@dns.example.com", "tls://dns.example.com@127.0.0.1", "9.9.9.9\nsearch evil.example"),
    ],
)
def test_what_is_none(cast, given):
    assert code(add(cast, given)) == (400, "INVALID_INPUT")
    assert not DnsConfig.objects.for_org(cast.org_a).exists()


@pytest.mark.parametrize(
    "values",
    [
        {"type": "split"},
        {"type": "split", "domains": []},
        {"type": "split", "domains": "corp.example"},
        {"type": "split", "domains": ["corp example"]},
        {"type": "split", "domains": ["org-a.zt.net"]},
        {"type": "split", "domains": ["deep.org-a.zt.net"]},
        {"type": "split", "domains": [f"d{n}.example" for n in range(51)]},
        {"type": "global", "domains": ["corp.example"]},
    ],
)
def test_a_split_nameserver_needs_domains_of_others(cast, values):
    assert code(add(cast, "10.0.0.53", **values)) == (400, "INVALID_INPUT")
    assert not DnsConfig.objects.for_org(cast.org_a).exists()


def test_without_a_nameserver(cast):
    assert code(dns(cast.alice, cast.org_a, "add_nameserver")) == (400, "MISSING_FIELDS")


def test_the_table_keeps_the_same_rules(cast):
    org_id = str(cast.org_a.pk)
    row = data(
        cast.alice.client.call("/api/db/dns_configs", {"org_id": org_id, "nameserver": "9.9.9.9"}), 201
    )

    def change(**values):
        body = {"org_id": org_id, "_filters": {"id": row["id"]}, **values}
        return cast.alice.client.call("/api/db/dns_configs", body, method="PATCH")

    assert code(change(nameserver="x")) == (400, "INVALID_INPUT")
    assert code(change(type="split")) == (400, "INVALID_INPUT")
    assert data(change(type="split", domains=["corp.example"])) == {"changes": 1}
    assert last_audit(cast.org_a)[0] == "dns.nameserver_updated"
    assert (DnsConfig.objects.for_org(cast.org_a).get().type) == "split"
    refused = cast.bob.client.call(
        "/api/db/dns_configs", {"org_id": org_id, "id": row["id"]}, method="DELETE"
    )
    assert code(refused) == (403, "FORBIDDEN")


def test_machines_are_told_of_servers_and_settings(cast):
    agent = enrol(auth_key(cast.alice, cast.org_a)["key"])
    told = map_of(agent).dns
    assert (told.nameservers, told.split, told.override_local_dns) == ((), {}, False)
    add(cast, "9.9.9.9")
    add(cast, "tls://dns.example.com@192.0.2.1")
    add(cast, "10.0.0.53", type="split", domains=["corp.example"])
    add(cast, "10.0.1.53", type="split", domains=["corp.example", "lab.example"])
    values = {"search_domains": ["Corp.Example."], "override_local_dns": True}
    assert data(dns(cast.alice, cast.org_a, "update_settings", **values)) == {"updated": True}
    told = map_of(agent).dns
    assert told.nameservers == ("9.9.9.9", "tls://dns.example.com@192.0.2.1")
    assert told.split == {"corp.example": ("10.0.0.53", "10.0.1.53"), "lab.example": ("10.0.1.53",)}
    assert (told.search_domains, told.override_local_dns) == (("corp.example",), True)
    data(dns(cast.alice, cast.org_a, "update_settings", magic_dns_enabled=False))
    assert map_of(agent).dns.magic_dns is False
    assert last_audit(cast.org_a) == (
        "dns.settings_updated",
        {"before": {"magic_dns_enabled": True}, "after": {"magic_dns_enabled": False}},
    )


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"search_domains": "corp.example"},
        {"search_domains": ["corp example"]},
        {"search_domains": [f"d{n}.example" for n in range(7)]},
        {"override_local_dns": "perhaps"},
        {"default_deny": False},
    ],
)
def test_settings_that_are_refused(cast, values):
    assert code(dns(cast.alice, cast.org_a, "update_settings", **values)) == (400, "INVALID_INPUT")
    assert data(dns(cast.alice, cast.org_a, "get_settings"))["settings"] == {
        "magic_dns_enabled": True,
        "search_domains": [],
        "override_local_dns": False,
    }


def test_members_may_not_change_settings(cast):
    refused = dns(cast.bob, cast.org_a, "update_settings", override_local_dns=True)
    assert code(refused) == (403, "FORBIDDEN")
