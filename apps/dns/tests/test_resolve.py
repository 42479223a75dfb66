"""Resolving, for people and for machines."""

import pytest

from apps.dns.tests.calls import data, dns
from apps.machines.tests.agents import admin, auth_key, code, enrol

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(cast):
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    return enrol(key, "alpha"), enrol(key, "beta")


def ask(person, org, hostname, **values):
    found = data(dns(person, org, "resolve", hostname=hostname, **values))
    assert found["hostname"] == hostname
    assert found["ip"] == (found["addresses"][0] if found["addresses"] else None)
    return found["fqdn"], found["addresses"], found["source"]


def test_machines_by_label_and_by_full_name(cast, pair):
    alpha, _ = pair
    full, ipv4, ipv6 = "alpha.org-a.zt.net", alpha.answer["tailnet_ip"], alpha.answer["tailnet_ipv6"]
    assert ask(cast.bob, cast.org_a, "alpha") == (full, [ipv4], "machine_auto")
    assert ask(cast.bob, cast.org_a, "ALPHA.org-a.zt.net.") == (full, [ipv4], "machine_fqdn")
    assert ask(cast.bob, cast.org_a, "alpha", type="AAAA") == (full, [ipv6], "machine_auto")
    assert code(dns(cast.bob, cast.org_a, "resolve", hostname="alpha", type="MX"))[0] == 400
    assert code(dns(cast.bob, cast.org_a, "resolve")) == (400, "MISSING_FIELDS")


def test_records_and_what_they_point_at(cast, pair):
    alpha, _ = pair
    for name, kind, value in (
        ("db", "A", "192.0.2.7"),
        ("www", "CNAME", "alpha"),
        ("app", "CNAME", "www"),
        ("out", "CNAME", "files.example.com"),
        ("loop1", "CNAME", "loop2"),
        ("loop2", "CNAME", "loop1"),
        ("note", "TXT", "hello"),
    ):
        data(dns(cast.alice, cast.org_a, "add_record", name=name, type=kind, value=value), 201)
    assert ask(cast.bob, cast.org_a, "db.org-a.zt.net") == ("db.org-a.zt.net", ["192.0.2.7"], "custom")
    found = ask(cast.bob, cast.org_a, "app")
    assert found == ("app.org-a.zt.net", [alpha.answer["tailnet_ip"]], "custom")
    for name in ("out", "loop1", "note"):
        assert ask(cast.bob, cast.org_a, name)[1:] == ([], "custom")


def test_names_that_are_not_ours(cast, pair):
    foreign = auth_key(cast.charlie, cast.org_b)["key"]
    enrol(foreign, "gamma")
    for name in ("nobody", "gamma", "gamma.org-b.zt.net", "alpha.org-b.zt.net", "example.com", "a..b", "'"):
        assert ask(cast.alice, cast.org_a, name)[1:] == ([], None)
    assert code(dns(cast.charlie, cast.org_a, "resolve", hostname="alpha")) == (403, "FORBIDDEN")


def test_who_has_a_name(cast, pair):
    alpha, beta = pair
    data(beta.client.call("/api/machine-heartbeat", {"status": "offline"}))
    assert ask(cast.bob, cast.org_a, "beta")[1] == [beta.answer["tailnet_ip"]]
    data(admin(cast.alice, "quarantine", alpha))
    assert ask(cast.bob, cast.org_a, "alpha")[1:] == ([], None)
    listed = data(dns(cast.bob, cast.org_a, "get_settings"))["dns_records"]
    assert {record["name"] for record in listed} == {"beta.org-a.zt.net"}
    assert [record["type"] for record in listed] == ["A", "AAAA"]


def test_a_machine_sees_itself_and_its_peers_only(cast, pair):
    alpha, beta = pair
    data(dns(cast.alice, cast.org_a, "add_record", name="db", value="192.0.2.7"), 201)

    def known(agent):
        return [name for name in ("alpha", "beta", "db") if ask(agent, cast.org_a, name)[1]]

    assert known(alpha) == known(beta) == ["alpha", "beta", "db"]
    data(admin(cast.alice, "quarantine", beta))
    assert known(alpha) == ["alpha", "db"]
    assert known(beta) == ["beta"]
    enrolled = enrol(auth_key(cast.charlie, cast.org_b)["key"], "gamma")
    assert code(dns(enrolled, cast.org_a, "resolve", hostname="alpha")) == (403, "FORBIDDEN")
    assert code(dns(alpha, cast.org_a, "get_settings")) == (403, "FORBIDDEN")
    assert code(dns(alpha, cast.org_a, "add_record", name="x", value="192.0.2.1")) == (403, "FORBIDDEN")


def test_it_answers_while_magic_dns_is_off(cast, pair):
    alpha, beta = pair
    data(dns(cast.alice, cast.org_a, "update_settings", magic_dns_enabled=False))
    settings = data(dns(cast.bob, cast.org_a, "get_settings"))
    assert (settings["magic_dns"], settings["dns_records"]) == (False, [])
    assert settings["domain"] == "org-a.zt.net"
    for asker in (cast.bob, beta):
        assert ask(asker, cast.org_a, "alpha")[1] == [alpha.answer["tailnet_ip"]]
