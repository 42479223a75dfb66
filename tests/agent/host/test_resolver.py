"""The resolver on real sockets, with real upstream servers beside it: plain, TLS, dead and lying."""

import asyncio
import base64
import contextlib
import ssl
import struct

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from agent.host import upstream
from agent.host.lookup import lookup
from agent.host.resolver import Resolver
from agent.host.upstream import Nameserver, Upstreams, parse_all
from tests.lab.pki import Authority
from wire.naming import Dns, DnsBlocklist
from wire.netmap import Netmap, Peer, SelfNode

KEY = base64.b64encode(bytes(32)).decode()
DOMAIN = "acme.zt.net"
HOST = "127.0.0.1"
PORTS = iter(range(22100, 22900))


class Server:
    """An upstream that answers 192.0.2.7 to everything and remembers what it was asked."""

    def __init__(self, reply=None):
        self.asked, self.connections, self.reply = [], 0, reply or self.plain_reply
        self.port = next(PORTS)

    @staticmethod
    def plain_reply(query):
        response = dns.message.make_response(query)
        response.answer.append(dns.rrset.from_text(query.question[0].name, 300, "IN", "A", "192.0.2.7"))
        return response

    def answer(self, wire):
        query = dns.message.from_wire(wire)
        self.asked.append(query.question[0].name.to_text())
        response = self.reply(query)
        return response.to_wire(max_size=65535) if response is not None else None

    @contextlib.asynccontextmanager
    async def running(self, *, tls=None, udp=True):
        server = self

        class Datagrams(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, addr):
                if (wire := server.answer(data)) is not None:
                    self.transport.sendto(wire, addr)

        async def serve(reader, writer):
            self.connections += 1
            with contextlib.closing(writer.transport), contextlib.suppress(EOFError, OSError):
                while True:
                    size = struct.unpack("!H", await reader.readexactly(2))[0]
                    if (wire := self.answer(await reader.readexactly(size))) is not None:
                        writer.write(struct.pack("!H", len(wire)) + wire)

        loop = asyncio.get_running_loop()
        listener = await asyncio.start_server(serve, HOST, self.port, ssl=tls)
        transport = None
        if udp and tls is None:
            transport, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=(HOST, self.port))
        try:
            yield self
        finally:
            listener.close()
            if transport:
                transport.close()

    def plain(self):
        return Nameserver(HOST, None, self.port)

    def secure(self, name="dns.lab"):
        return Nameserver(HOST, name, self.port)


def netmap(**changes):
    peer = Peer("b", "beta", f"beta.{DOMAIN}", "100.64.0.2", KEY)
    own = SelfNode("a", "alpha", f"alpha.{DOMAIN}", "100.64.0.1")
    blocklist = DnsBlocklist("v", ("ads.example",), ("tracker.test",))
    return Netmap(1, own, {"b": peer}, dns=Dns(DOMAIN, **changes), dns_blocklist=blocklist)


@contextlib.asynccontextmanager
async def resolving(*servers, **changes):
    upstreams = Upstreams(mark=0, marked=lambda address: False)
    resolver = Resolver(upstreams)
    resolver.configure(netmap(**changes), servers)
    try:
        yield resolver
    finally:
        upstreams.close()
        await resolver.close()


async def ask(resolver, name, kind="A", **options):
    wire = await resolver.answer(dns.message.make_query(name, kind, **options).to_wire())
    return dns.message.from_wire(wire)


def addresses(response):
    return [item.to_text() for rrset in response.answer for item in rrset]


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(upstream, "SERVER_SECONDS", 0.4)


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """Issues certificates that the resolver trusts: SSL_CERT_FILE is where OpenSSL looks first."""
    authority = Authority(tmp_path / "pki")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))

    def issue(name):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*authority.issue(name, HOST))
        return context

    return issue


async def test_other_names_go_upstream_and_are_kept():
    async with Server().running() as server, resolving(server.plain()) as resolver:
        for _ in range(3):
            assert addresses(await ask(resolver, "example.com")) == ["192.0.2.7"]
        assert server.asked == ["example.com."]
        assert (resolver.counters.forwarded, resolver.counters.cached) == (1, 2)


async def test_names_of_the_tailnet_and_blocked_names_never_leave_the_host():
    async with Server().running() as server, resolving(server.plain()) as resolver:
        assert addresses(await ask(resolver, f"beta.{DOMAIN}")) == ["100.64.0.2"]
        for name in (f"nobody.{DOMAIN}", "single", "ads.example", "x.tracker.test"):
            assert (await ask(resolver, name)).rcode() == dns.rcode.NXDOMAIN
        assert server.asked == []
        assert resolver.counters.blocked == 2


async def test_a_split_domain_goes_to_its_server_and_to_no_other(quick):
    async with Server().running() as general, Server().running() as corp:
        split = {"corp.example": (f"{HOST}:{corp.port}",)}
        async with resolving(general.plain(), split=split) as resolver:
            await ask(resolver, "db.corp.example")
            await ask(resolver, "example.com")
            assert (corp.asked, general.asked) == (["db.corp.example."], ["example.com."])
        dead = {"corp.example": (f"{HOST}:{next(PORTS)}",)}
        async with resolving(general.plain(), split=dead) as resolver:
            assert (await ask(resolver, "db2.corp.example")).rcode() == dns.rcode.SERVFAIL
            assert general.asked == ["example.com."]


async def test_dns_over_tls_keeps_its_connection(certificate):
    async with Server().running(tls=certificate("dns.lab")) as server, resolving(server.secure()) as resolver:
        answers = await asyncio.gather(*(ask(resolver, f"n{index}.example") for index in range(20)))
        assert [addresses(answer) for answer in answers] == [["192.0.2.7"]] * 20
        await ask(resolver, "later.example")
        assert server.connections <= 20
        before = server.connections
        await ask(resolver, "latest.example")
        assert server.connections == before


async def test_a_server_with_the_certificate_of_another_gets_no_question(certificate, quick):
    other = Server()
    async with other.running(tls=certificate("other.lab")), resolving(other.secure("dns.lab")) as resolver:
        assert (await ask(resolver, "example.com")).rcode() == dns.rcode.SERVFAIL
        assert other.asked == []


async def test_a_dead_server_costs_one_timeout_and_then_nothing(quick):
    silent, alive = Server(lambda query: None), Server()
    servers = (silent.plain(), alive.plain())
    async with silent.running(), alive.running(), resolving(*servers) as resolver:
        assert addresses(await ask(resolver, "one.example")) == ["192.0.2.7"]
        assert addresses(await ask(resolver, "two.example")) == ["192.0.2.7"]
        assert silent.asked == ["one.example."], "the silent one is asked last from then on"


async def test_with_every_server_dead_the_answer_is_servfail_and_the_next_try_succeeds(quick):
    server = Server()
    async with resolving(server.plain()) as resolver:
        assert (await ask(resolver, "example.com")).rcode() == dns.rcode.SERVFAIL
        async with server.running():
            assert addresses(await ask(resolver, "example.com")) == ["192.0.2.7"]


async def test_tls_that_fails_is_never_followed_by_plain_text(quick):
    server = Server()
    async with server.running(), resolving(server.secure()) as resolver:
        assert (await ask(resolver, "example.com")).rcode() == dns.rcode.SERVFAIL
        assert server.asked == []


@pytest.mark.parametrize("forged", ["id", "question"])
async def test_a_forged_answer_is_not_believed(quick, forged):
    def forge(query):
        other = dns.message.make_query(
            "bank.example" if forged == "question" else query.question[0].name, "A"
        )
        other.id = query.id if forged == "question" else query.id ^ 1
        return Server.plain_reply(other)

    async with Server(forge).running() as server, resolving(server.plain()) as resolver:
        response = await ask(resolver, "example.com")
        assert (response.rcode(), addresses(response)) == (dns.rcode.SERVFAIL, [])


async def test_a_cut_answer_is_asked_again_over_tcp():
    asked = []

    def cut_on_first(query):
        asked.append(query)
        response = Server.plain_reply(query)
        if len(asked) == 1:
            response.flags |= dns.flags.TC
            response.answer.clear()
        return response

    async with Server(cut_on_first).running() as server, resolving(server.plain()) as resolver:
        assert addresses(await ask(resolver, "example.com")) == ["192.0.2.7"]
        assert server.connections == 1


async def test_a_long_answer_is_cut_for_udp_and_whole_over_tcp():
    def long(query):
        response = dns.message.make_response(query)
        texts = [f'"{index:03d}{"x" * 200}"' for index in range(20)]
        response.answer.append(dns.rrset.from_text_list(query.question[0].name, 60, "IN", "TXT", texts))
        return response

    port = next(PORTS)
    async with Server(long).running() as server, resolving(server.plain()) as resolver:
        await resolver.start(HOST, port)
        query = dns.message.make_query("long.example", "TXT", use_edns=0, payload=4096)
        udp = await Upstreams(mark=0, marked=lambda address: False)._ask_udp(
            query, Nameserver(HOST, None, port)
        )
        assert udp.flags & dns.flags.TC
        reader, writer = await asyncio.open_connection(HOST, port)
        wire = query.to_wire()
        writer.write(struct.pack("!H", len(wire)) + wire)
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        assert len(dns.message.from_wire(await reader.readexactly(size)).answer[0]) == 20
        writer.close()


async def test_what_cannot_be_read_is_refused_and_answers_are_not_answered():
    async with resolving() as resolver:
        assert await resolver.answer(b"short") is None
        broken = await resolver.answer(b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\xff")
        assert broken[:2] == b"\x12\x34"
        assert broken[3] & 15 == dns.rcode.FORMERR
        response = dns.message.make_response(dns.message.make_query("example.com", "A"))
        assert await resolver.answer(response.to_wire()) is None
        update = dns.message.make_query("example.com", "A")
        update.set_opcode(dns.opcode.NOTIFY)
        refused = dns.message.from_wire(await resolver.answer(update.to_wire()))
        assert refused.rcode() == dns.rcode.NOTIMP


async def test_edns_is_answered_with_edns_and_a_later_version_is_refused():
    async with resolving() as resolver:
        assert (await ask(resolver, f"beta.{DOMAIN}", use_edns=0)).edns == 0
        assert (await ask(resolver, f"beta.{DOMAIN}")).edns == -1
        assert (await ask(resolver, f"beta.{DOMAIN}", use_edns=1)).rcode() == dns.rcode.BADVERS


async def test_a_port_that_is_taken_leaves_nothing_open():
    async with resolving() as resolver, resolving() as second:
        port = next(PORTS)
        await resolver.start(HOST, port)
        with pytest.raises(OSError):
            await second.start(HOST, port)


async def test_lookup_says_where_a_name_came_from():
    async with Server().running() as server, resolving(server.plain()) as resolver:
        sources = {}
        for name in ("beta", "beta.acme.zt.net", "ads.example", "example.com", "nobody.acme.zt.net"):
            found = await lookup(resolver, name, "A", DOMAIN)
            sources[name] = (found["source"], found["addresses"])
        assert sources == {
            "beta": ("magicdns", ["100.64.0.2"]),
            "beta.acme.zt.net": ("magicdns", ["100.64.0.2"]),
            "ads.example": ("blocked", []),
            "example.com": ("upstream", ["192.0.2.7"]),
            "nobody.acme.zt.net": (None, []),
        }
        assert (await lookup(resolver, "beta", "A", DOMAIN))["fqdn"] == f"beta.{DOMAIN}"
        assert (await lookup(resolver, "100.64.0.2", "PTR", DOMAIN))["addresses"] == [f"beta.{DOMAIN}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9.9.9.9", Nameserver("9.9.9.9", None, 53)),
        ("2620:fe::fe", Nameserver("2620:fe::fe", None, 53)),
        ("10.0.0.1:5353", Nameserver("10.0.0.1", None, 5353)),
        ("tls://9.9.9.9", Nameserver("9.9.9.9", "9.9.9.9", 853)),
        ("tls://dns.quad9.net@9.9.9.9", Nameserver("9.9.9.9", "dns.quad9.net", 853)),
        ("tls://dns.quad9.net", Nameserver("dns.quad9.net", "dns.quad9.net", 853)),
    ],
)
def test_spellings_of_a_nameserver(text, expected):
    assert Nameserver.parse(text) == expected


def test_a_nameserver_that_is_none_is_left_out(caplog):
    assert parse_all(["9.9.9.9", "dns.example", "name@9.9.9.9", "tls://", ""]) == (
        Nameserver("9.9.9.9", None, 53),
    )
    assert "dns.example" in caplog.text
