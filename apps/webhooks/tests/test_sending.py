"""One request: where it may go, how long it may take, how much of the answer is read."""

import asyncio
import ipaddress
import socket
import ssl
import threading
import time
import uuid

import pytest

from apps.webhooks import sending
from apps.webhooks.sending import KEPT_TEXT, Letter, Outcome, send, tls_context
from apps.webhooks.tests.conftest import LOOPBACK
from apps.webhooks.tests.target import Reply, Target, documented_verify
from tests.lab.pki import Authority
from tests.services import free_port


def sent(url, authority, allowed=LOOPBACK, *, suspect=False):
    letter = Letter(uuid.uuid4(), url, "webhook.test", '{"a":"ü"}', "whsec_secret", suspect)
    return asyncio.run(send(letter, tls_context(str(authority.ca_file)), allowed))


def test_a_request_is_whole(target, authority):
    target.reply = lambda request: Reply(200, b"thanks")
    found = sent(f"{target.url}/a%20b?token=x&y", authority)
    assert (found.ok, found.status, found.response, found.error) == (True, 200, "thanks", "")
    (request,) = target.received
    assert (request.path, request.body) == ("/hook/a%20b?token=x&y", '{"a":"ü"}'.encode())
    assert request.headers["Host"] == target.url.split("/")[2]
    assert request.headers["Content-Type"] == "application/json"
    assert documented_verify()("whsec_secret", request.headers["X-QuickZTNA-Signature"], request.body)


@pytest.mark.parametrize(
    "allowed", [(), (ipaddress.ip_network("10.0.0.0/8"),), (ipaddress.ip_network("0.0.0.0/0"),)]
)
def test_loopback_is_not_called_unless_it_is_named(target, authority, allowed):
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1"):
        found = sent(target.url.replace("127.0.0.1", host), authority, allowed)
        assert (found.ok, found.error) == (False, "the address is not public")
    assert target.received == []


def test_the_address_that_was_judged_is_the_one_that_is_dialled(target, authority, monkeypatch):
    """A name that answers with a public address first and with loopback at the second look."""
    asked = []
    port = int(target.url.split(":")[2].split("/")[0])

    def rebinding(host, port, **options):
        asked.append(host)
        address = "203.0.112.7" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    dialled = []

    async def open_connection(address, port, **options):
        dialled.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr("apps.core.outward.socket.getaddrinfo", rebinding)
    monkeypatch.setattr(sending.asyncio, "open_connection", open_connection)
    found = sent(f"https://rebind.example:{port}/", authority, ())
    assert (asked, dialled) == (["rebind.example"], ["203.0.112.7"])
    assert found.error == "no connection: Connection refused"


def test_one_private_address_among_public_ones_is_enough_to_refuse(authority, monkeypatch):
    def both(host, port, **options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in ("203.0.112.7", "10.0.0.1")]

    monkeypatch.setattr("apps.core.outward.socket.getaddrinfo", both)
    assert sent("https://both.example/", authority, ()).error == "the address is not public"


def test_a_certificate_of_another_authority_is_refused(target, tmp_path):
    assert sent(target.url, Authority(tmp_path / "other")).error.startswith("TLS: unable to get local issuer")
    assert target.received == []


def test_a_certificate_for_another_name_is_refused(authority):
    certificate, key = authority.issue("other.example")
    server = RawServer(certificate, key, lambda connection: connection.recv(100))
    found = sent(server.url, authority)
    assert found.error.startswith("TLS: IP address mismatch")
    server.close()


def test_the_system_does_not_trust_our_authority(target):
    letter = Letter(uuid.uuid4(), target.url, "webhook.test", "{}", "whsec_secret")
    found = asyncio.run(send(letter, tls_context(None), LOOPBACK))
    assert found.error.startswith("TLS: ")
    assert target.received == []


class RawServer:
    """Speaks TLS and then whatever `speak` does with the connection."""

    def __init__(self, certificate, key, speak):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve, args=(context, speak))
        self._thread.start()

    def _serve(self, context, speak):
        try:
            plain, _ = self._listener.accept()
            with plain, context.wrap_socket(plain, server_side=True) as connection:
                request = b""
                while not request.endswith(b"}"):
                    request += connection.recv(65536)
                speak(connection)
        except OSError:
            pass  # the client went away, as several tests want it to

    def close(self):
        self._listener.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def speaking(authority):
    servers = []

    def start(speak):
        servers.append(RawServer(*authority.issue("raw", "127.0.0.1"), speak))
        return servers[-1].url

    yield start
    for server in servers:
        server.close()


def endless(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")


def endless_head(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"y" * 1024 + b"\r\n")


def test_an_endless_answer_is_left(speaking, authority):
    found = sent(speaking(endless), authority)
    assert (found.ok, len(found.response)) == (True, KEPT_TEXT)
    assert sent(speaking(endless_head), authority).error == "the answer is not HTTP"


@pytest.mark.parametrize("text", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 2"])
def test_what_is_no_answer_is_said(speaking, authority, text):
    assert (
        sent(speaking(lambda connection: connection.sendall(text)), authority).error
        == "the answer is not HTTP"
    )


def test_text_of_an_answer_is_fit_for_the_database(speaking, authority):
    answer = b"HTTP/1.1 400 Bad\r\nContent-Length: 4\r\n\r\n\xff\x00ab"
    found = sent(speaking(lambda connection: connection.sendall(answer)), authority)
    assert (found.status, found.response) == (400, "��ab")


def test_a_target_that_dawdles_is_given_up_in_time(speaking, authority, monkeypatch):
    """A byte now and then would keep a limit for each read alive for ever."""
    monkeypatch.setattr(sending, "SECONDS", 0.3)
    stop = threading.Event()

    def drip(connection):
        while not stop.wait(0.02):
            connection.sendall(b"H")

    began = time.monotonic()
    found = sent(speaking(drip), authority)
    stop.set()
    assert found.error == "no answer within 0.3 s"
    assert time.monotonic() - began < 3


def test_a_name_server_that_is_silent_is_not_waited_for(authority, monkeypatch):
    monkeypatch.setattr(sending, "SECONDS", 0.2)
    answered = threading.Event()

    def silent(host, port):
        answered.wait(10)
        return ["203.0.112.7"]

    monkeypatch.setattr(sending, "addresses_of", silent)
    began = time.monotonic()
    assert sent("https://silent.example/", authority).error == "no answer within 0.2 s"
    assert time.monotonic() - began < 5
    answered.set()


def test_silent_name_servers_of_failing_targets_use_up_nobody_elses_threads(target, authority, monkeypatch):
    answered = threading.Event()
    busy = [sending.SUSPECT_LOOKUPS.submit(answered.wait, 20) for _ in range(8)]
    assert sent(target.url, authority).ok
    monkeypatch.setattr(sending, "SECONDS", 0.2)
    assert sent(target.url, authority, suspect=True).error == "no answer within 0.2 s"
    answered.set()
    assert all(lookup.result(20) for lookup in busy)
    monkeypatch.setattr(sending, "SECONDS", 5.0)
    assert sent(target.url, authority, suspect=True).ok


def test_nobody_there(authority):
    assert sent(f"https://127.0.0.1:{free_port()}/", authority).error.startswith("no connection")
    assert sent("https://nothing.invalid/", authority).error == "the name has no address"


def test_only_2xx_is_a_success():
    assert [status for status in range(100, 600) if Outcome(1, status).ok] == list(range(200, 300))
    assert not Outcome(1).ok


def test_a_target_is_closed_cleanly(authority, reachable):
    target = Target(authority)
    assert sent(target.url, authority).ok
    target.close()
