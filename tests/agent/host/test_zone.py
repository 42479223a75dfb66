"""Answers about names of the tailnet, and the block list."""

import base64

import dns.message
import dns.name
import dns.rcode
import dns.reversename
import pytest

from agent.engine.dnscache import DnsCache
from agent.engine.zone import Blocklist, Zone, nearest_domain
from wire.naming import Dns, DnsBlocklist, DnsRecord
from wire.netmap import Netmap, Peer, SelfNode

KEY = base64.b64encode(bytes(32)).decode()
DOMAIN = "acme.zt.net"
RECORDS = (
    DnsRecord("wiki.acme.zt.net", "CNAME", "beta.acme.zt.net"),
    DnsRecord("www.acme.zt.net", "CNAME", "www.example.com"),
    DnsRecord("note.acme.zt.net", "TXT", "hello there"),
    DnsRecord("intern.example", "A", "10.1.2.3"),
    DnsRecord("broken.acme.zt.net", "A", "not an address"),
)


@pytest.fixture
def zone():
    peers = {
        "b": Peer("b", "beta", f"beta.{DOMAIN}", "100.64.0.2", KEY, tailnet_ipv6="fd7a:1:2::2"),
        "c": Peer("c", "gamma", f"Gamma.{DOMAIN}", "100.64.0.3", KEY, online=False),
    }
    own = SelfNode("a", "alpha", f"alpha.{DOMAIN}", "100.64.0.1", "fd7a:1:2::1")
    return Zone(Netmap(1, own, peers, dns=Dns(DOMAIN, records=RECORDS)))


def ask(zone, name, kind="A"):
    return zone.answer(dns.message.make_query(name, kind))


def values(response):
    return [item.to_text() for rrset in response.answer for item in rrset]


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        (f"beta.{DOMAIN}", "A", ["100.64.0.2"]),
        ("BETA.Acme.ZT.net", "A", ["100.64.0.2"]),
        (f"gamma.{DOMAIN}", "A", ["100.64.0.3"]),
        (f"alpha.{DOMAIN}", "A", ["100.64.0.1"]),
        (f"beta.{DOMAIN}", "AAAA", ["fd7a:1:2::2"]),
        ("beta", "A", ["100.64.0.2"]),
        ("2.0.64.100.in-addr.arpa", "PTR", [f"beta.{DOMAIN}."]),
        (dns.reversename.from_address("fd7a:1:2::2").to_text(), "PTR", [f"beta.{DOMAIN}."]),
        ("100.100.100.100.in-addr.arpa", "PTR", [f"magicdns.{DOMAIN}."]),
        (f"wiki.{DOMAIN}", "A", [f"beta.{DOMAIN}.", "100.64.0.2"]),
        (f"wiki.{DOMAIN}", "CNAME", [f"beta.{DOMAIN}."]),
        (f"www.{DOMAIN}", "A", ["www.example.com."]),
        (f"note.{DOMAIN}", "TXT", ['"hello there"']),
        ("intern.example", "A", ["10.1.2.3"]),
    ],
)
def test_names_that_exist(zone, name, kind, expected):
    response = ask(zone, name, kind)
    assert response.rcode() == dns.rcode.NOERROR
    assert values(response) == expected
    assert {rrset.ttl for rrset in response.answer} == {60}


@pytest.mark.parametrize(
    ("name", "kind"), [(f"gamma.{DOMAIN}", "AAAA"), (f"beta.{DOMAIN}", "MX"), (DOMAIN, "A")]
)
def test_a_name_without_such_a_record_is_empty_and_not_missing(zone, name, kind):
    response = ask(zone, name, kind)
    assert (response.rcode(), values(response)) == (dns.rcode.NOERROR, [])
    assert response.authority[0][0].minimum == 60


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"nobody.{DOMAIN}", "A"),
        (f"deep.down.{DOMAIN}", "AAAA"),
        (f"broken.{DOMAIN}", "A"),
        ("9.9.100.100.in-addr.arpa", "PTR"),
        (dns.reversename.from_address("fd7a:1:2::99").to_text(), "PTR"),
        ("nobody", "A"),
        ("localdomain", "AAAA"),
    ],
)
def test_an_unknown_name_of_ours_is_answered_here_and_never_asked_elsewhere(zone, name, kind):
    assert ask(zone, name, kind).rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("example.com", "A"),
        ("notacme.zt.net", "A"),
        ("evil-acme.zt.net.example.com", "A"),
        ("1.1.1.1.in-addr.arpa", "PTR"),
        ("com", "NS"),
        (".", "NS"),
    ],
)
def test_other_names_are_not_ours(zone, name, kind):
    assert ask(zone, name, kind) is None


def test_a_circle_of_aliases_ends():
    records = (
        DnsRecord(f"x.{DOMAIN}", "CNAME", f"y.{DOMAIN}"),
        DnsRecord(f"y.{DOMAIN}", "CNAME", f"x.{DOMAIN}"),
    )
    own = SelfNode("a", "alpha", f"alpha.{DOMAIN}", "100.64.0.1")
    response = ask(Zone(Netmap(1, own, dns=Dns(DOMAIN, records=records))), f"x.{DOMAIN}")
    assert values(response)[:2] == [f"y.{DOMAIN}.", f"x.{DOMAIN}."]


@pytest.mark.parametrize(
    ("name", "blocked"),
    [
        ("ads.example", True),
        ("ADS.example.", True),
        ("sub.ads.example", False),
        ("a.b.tracker.test", True),
        ("tracker.test", False),
        ("nottracker.test", False),
    ],
)
def test_the_block_list_knows_exact_names_and_everything_below_a_wildcard(name, blocked):
    lists = Blocklist(DnsBlocklist("v", ("ads.example",), ("*.tracker.test",)))
    assert lists.blocks(dns.name.from_text(name)) is blocked


def test_the_nearest_split_domain_wins():
    domains = ("corp.example", "lab.corp.example")
    assert nearest_domain(dns.name.from_text("x.lab.corp.example"), domains) == "lab.corp.example"
    assert nearest_domain(dns.name.from_text("corp.example"), domains) == "corp.example"
    assert nearest_domain(dns.name.from_text("xcorp.example"), domains) is None


def answered(query, ttl, rcode=dns.rcode.NOERROR):
    response = dns.message.make_response(query)
    response.set_rcode(rcode)
    where = response.answer if rcode == dns.rcode.NOERROR else response.authority
    text = "192.0.2.1" if rcode == dns.rcode.NOERROR else f"a. b. 1 1 1 1 {ttl}"
    kind = "A" if rcode == dns.rcode.NOERROR else "SOA"
    where.append(dns.rrset.from_text(query.question[0].name, ttl, "IN", kind, text))
    return response


@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN])
def test_the_cache_keeps_an_answer_for_its_time_and_counts_down(rcode):
    cache, query = DnsCache(), dns.message.make_query("example.com", "A")
    cache.put(query, answered(query, 100, rcode), 1000.0)
    again = dns.message.make_query("EXAMPLE.com", "A")
    found = cache.get(again, 1040.0)
    assert (found.id, found.rcode()) == (again.id, rcode)
    assert [rrset.ttl for rrset in (*found.answer, *found.authority)] == [60]
    assert cache.get(again, 1100.0) is None


def test_the_cache_bounds_what_servers_ask_of_it():
    cache, query = DnsCache(), dns.message.make_query("example.com", "A")
    cache.put(query, answered(query, 10**6), 0.0)
    assert cache.get(query, 3599.0) is not None
    assert cache.get(query, 3601.0) is None
    cache.put(query, answered(query, 0), 0.0)
    assert cache.get(query, 0.0) is None


def test_a_failure_is_not_kept():
    cache, query = DnsCache(), dns.message.make_query("example.com", "A")
    failed = dns.message.make_response(query)
    failed.set_rcode(dns.rcode.SERVFAIL)
    cache.put(query, failed, 0.0)
    assert cache.get(query, 0.0) is None
