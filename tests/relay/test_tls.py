"""The TLS backends against each other, without sockets."""

import secrets

import pytest

from relay.tls import pyopenssl
from relay.tls.pyopenssl import PyOpenSSLContext
from relay.tls.session import MAX_KEPT_BYTES, MAX_WRITE_BYTES, TlsError, TlsUnavailable
from relay.tls.stdlib import StdlibContext
from tests.lab.pki import Authority

HOST = "relay.test"
BACKENDS = {
    "fast": (
        lambda certificate: PyOpenSSLContext.server(*certificate, fast=True),
        lambda ca_file: PyOpenSSLContext.client(ca_file, fast=True),
    ),
    "public": (
        lambda certificate: PyOpenSSLContext.server(*certificate, fast=False),
        lambda ca_file: PyOpenSSLContext.client(ca_file, fast=False),
    ),
    "stdlib": (lambda certificate: StdlibContext.server(*certificate), StdlibContext.client),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


def deliver(context, session, data, kept=b""):
    """Plaintext of ciphertext that arrives, with whatever was kept before it."""
    found = kept
    data = bytes(data)
    for start in range(0, max(len(data), 1), len(context.inbox)):
        chunk = data[start : start + len(context.inbox)]
        context.inbox[: len(chunk)] = chunk
        found += bytes(session.receive(len(chunk)))
    return found


class Pair:
    def __init__(self, client, server):
        self.client_context, self.server_context = client, server
        self.client, self.server = client.session(HOST), server.session()

    def shake_hands(self):
        deliver(self.client_context, self.client, b"")
        for _ in range(4):
            deliver(self.server_context, self.server, self.client.outgoing())
            deliver(self.client_context, self.client, self.server.outgoing())
        assert self.client.established
        assert self.server.established
        return self


@pytest.fixture(params=[(client, server) for client in BACKENDS for server in BACKENDS], ids="-".join)
def pair(request, authority):
    client, server = request.param
    return Pair(
        BACKENDS[client][1](str(authority.ca_file)), BACKENDS[server][0](authority.issue(HOST))
    ).shake_hands()


def test_every_size_crosses_both_ways(pair):
    for size in (1, 100, 16_384, 16_385, 65_000, MAX_WRITE_BYTES):
        data = secrets.token_bytes(size)
        assert deliver(pair.server_context, pair.server, pair.client.send(data)) == data
        assert deliver(pair.client_context, pair.client, pair.server.send(data)) == data


def test_records_may_arrive_byte_by_byte(pair):
    data = secrets.token_bytes(3000)
    records = bytes(pair.client.send(data))
    got = b"".join(
        deliver(pair.server_context, pair.server, records[at : at + 7]) for at in range(0, len(records), 7)
    )
    assert got == data


def test_what_was_kept_comes_first(pair):
    records = bytes(pair.client.send(b"new"))
    pair.server_context.inbox[: len(records)] = records
    kept = secrets.token_bytes(MAX_KEPT_BYTES)
    assert bytes(pair.server.receive(len(records), kept)) == kept + b"new"


def test_sessions_that_share_buffers_do_not_mix(pair, authority):
    other = Pair(pair.client_context, pair.server_context).shake_hands()
    first, second = bytes(pair.client.send(b"first")), bytes(other.client.send(b"second"))
    assert deliver(pair.server_context, pair.server, first[:9]) == b""
    assert deliver(pair.server_context, other.server, second) == b"second"
    assert deliver(pair.server_context, pair.server, first[9:]) == b"first"


def test_a_forged_record_ends_the_session(pair):
    records = bytearray(pair.client.send(b"hello"))
    records[-1] ^= 1
    with pytest.raises(TlsError):
        deliver(pair.server_context, pair.server, records)
    # What another session does next is untouched by the failure.
    other = Pair(pair.client_context, pair.server_context).shake_hands()
    assert deliver(pair.server_context, other.server, other.client.send(b"fine")) == b"fine"


def test_a_replayed_record_is_refused(pair):
    records = bytes(pair.client.send(b"once"))
    assert deliver(pair.server_context, pair.server, records) == b"once"
    with pytest.raises(TlsError):
        deliver(pair.server_context, pair.server, records)


def test_goodbye_is_told_from_a_cut(pair):
    pair.client.close()
    deliver(pair.server_context, pair.server, pair.client.outgoing())
    assert pair.server.ended


@pytest.mark.parametrize("backend", BACKENDS)
def test_plain_text_is_no_handshake(authority, backend):
    context = BACKENDS[backend][0](authority.issue(HOST))
    with pytest.raises(TlsError):
        deliver(context, context.session(), b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("host", ["other.test", "127.0.0.2", "relay.test.evil.test"])
def test_a_certificate_for_another_name_is_refused(authority, backend, host):
    client, server = (
        BACKENDS[backend][1](str(authority.ca_file)),
        StdlibContext.server(*authority.issue(HOST)),
    )
    alpha, beta = client.session(host), server.session()
    deliver(client, alpha, b"")
    deliver(server, beta, alpha.outgoing())
    with pytest.raises(TlsError, match=r"(?i)certificate.verify.failed"):
        deliver(client, alpha, beta.outgoing())
    assert not alpha.established


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_certificate_may_name_an_address(authority, backend):
    client = BACKENDS[backend][1](str(authority.ca_file))
    server = StdlibContext.server(*authority.issue("by-address.test", "127.0.0.1", "::1"))
    for host in ("127.0.0.1", "::1"):
        alpha, beta = client.session(host), server.session()
        deliver(client, alpha, b"")
        deliver(server, beta, alpha.outgoing())
        deliver(client, alpha, beta.outgoing())
        assert alpha.established


def test_without_a_recent_openssl_hybrid_cannot_be_required(authority, monkeypatch):
    monkeypatch.setattr(pyopenssl.SSL, "OPENSSL_VERSION_NUMBER", 0x30000130)
    with pytest.raises(TlsUnavailable, match="needs OpenSSL"):
        PyOpenSSLContext.server(*authority.issue(HOST), require_hybrid=True)


def test_without_the_private_functions_the_public_ones_serve(authority, monkeypatch):
    class Less:
        def __getattr__(self, name):
            if name == "BIO_new_mem_buf":
                raise AttributeError(name)
            return getattr(pyopenssl_lib, name)

    pyopenssl_lib = pyopenssl.lib
    monkeypatch.setattr(pyopenssl, "lib", Less())
    client = PyOpenSSLContext.client(str(authority.ca_file))
    assert not client.fast
    pair = Pair(client, PyOpenSSLContext.server(*authority.issue(HOST))).shake_hands()
    assert deliver(pair.server_context, pair.server, pair.client.send(b"slower")) == b"slower"
