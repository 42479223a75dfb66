"""`python -m relay` as an operator runs it: settings, metrics, health, and the end."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.lab.pki import Authority
from tests.relay.live import HOST, Client, dial
from tests.relay.signer import Signer
from tests.services import free_port, free_ports

# As many as any test starts: each has an admin port of its own.
WORKERS = 2
ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A relay process; what a Client needs to reach it."""

    def __init__(self, directory):
        self.directory, self.control = directory, Signer()
        authority = Authority(directory)
        self.ca_file = authority.ca_file
        certificate, key = authority.issue(HOST)
        (directory / "jwks.json").write_text(self.control.jwks())
        self.port, self.admin_port = free_port(), free_ports(WORKERS)
        self.settings = {
            "QZRELAY_REGION": "test1",
            "QZRELAY_CERTIFICATE": str(certificate),
            "QZRELAY_PRIVATE_KEY": str(key),
            "QZRELAY_JWKS": str(directory / "jwks.json"),
            "QZRELAY_LISTEN": "127.0.0.1",
            "QZRELAY_PORT": str(self.port),
            "QZRELAY_STUN_PORT": "0",
            "QZRELAY_ADMIN_PORT": str(self.admin_port),
            "QZRELAY_REQUIRE_HYBRID": "yes",
        }

    def start(self, **settings):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "relay"],
                cwd=ROOT,
                env={**os.environ, **self.settings, **settings},
                stderr=log,
            )
        return self

    async def ready(self):
        for _ in range(200):
            try:
                if (await self.get("/healthz")).status_code == 200:
                    return self
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)
        raise AssertionError((self.directory / "log").read_text())

    async def get(self, path):
        async with httpx.AsyncClient() as http:
            return await http.get(f"http://127.0.0.1:{self.admin_port}{path}")

    async def metric(self, name):
        found = re.search(
            rf"^quickztna_relay_{re.escape(name)} (\S+)$", (await self.get("/metrics")).text, re.M
        )
        assert found, name
        return float(found[1])

    def client(self, **options):
        return Client(self, **options)

    async def end(self):
        return await asyncio.to_thread(self.process.wait, 10)


@pytest.fixture
async def process(tmp_path):
    process = Process(tmp_path)
    yield process
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if process.process.poll() is None:
        process.process.kill()
    process.process.wait()


async def test_metrics_tell_what_was_carried_and_never_whose_it_was(process):
    await process.start().ready()
    alpha, beta = await process.client().up(), await process.client().up()
    alpha.link.send(beta.key, 1280, bytes(2560))
    await asyncio.wait_for(beta.received.get(), 5)
    alpha.link.send(bytes(32), 4, b"gone")
    await asyncio.wait_for(alpha.gone.get(), 5)
    assert await process.metric("clients") == 2
    assert await process.metric("frames_total") == 1
    assert await process.metric("bytes_total") == 2560 + 35
    assert await process.metric('dropped_frames_total{reason="no_receiver"}') == 1
    assert await process.metric('handshakes_total{group="X25519MLKEM768"}') == 2
    assert await process.metric("cpu_seconds_per_datagram") > 0
    told = (await process.get("/metrics")).text + (process.directory / "log").read_text()
    assert "127.0.0.1" not in told
    assert alpha.key.hex()[:12] not in told


async def test_metrics_are_not_served_to_the_world(process):
    await process.start(QZRELAY_LISTEN="0.0.0.0", QZRELAY_REQUIRE_HYBRID="no").ready()
    sockets = subprocess.run(
        ["ss", "-Hltn", f"sport = :{process.admin_port}"], capture_output=True, text=True
    )
    assert [line.split()[3] for line in sockets.stdout.splitlines()] == [f"127.0.0.1:{process.admin_port}"]
    async with httpx.AsyncClient(verify=False) as http:
        assert (await http.get(f"https://127.0.0.1:{process.port}/metrics")).status_code == 404


async def test_the_admin_port_refuses_what_is_no_request(process):
    await process.start().ready()
    for data, status in (
        (b"\r\n\r\n", b"400"),
        (b"GET /x" + b"y" * 9000, b"431"),
        (b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
    ):
        with await asyncio.to_thread(dial, process.admin_port) as sock:
            sock.sendall(data)
            assert (await asyncio.to_thread(sock.recv, 100)).split()[1] == status
    assert (await process.get("/other")).status_code == 404


async def test_without_signing_keys_it_is_not_healthy(process):
    (process.directory / "jwks.json").write_text('{"keys": []}')
    process.start()
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(httpx.ConnectError):
                assert (await process.get("/healthz")).status_code == 503
                break
            await asyncio.sleep(0.05)


async def test_sigterm_sends_clients_away_with_a_date_and_ends_well(process):
    await process.start().ready()
    alpha = await process.client().up()
    process.process.send_signal(signal.SIGTERM)
    up, reason = await alpha.state()
    assert (up, reason) == (False, "closed by the relay: 1001")
    assert alpha.link.connected is False
    assert await process.end() == 0
    process.start()
    while not up:
        up, _ = await alpha.state()


async def test_a_wrong_setting_stops_the_start(process):
    process.start(QZRELAY_REQUIRE_HYBRID="perhaps")
    assert await process.end() == 2
    assert "QZRELAY_REQUIRE_HYBRID must be yes or no" in (process.directory / "log").read_text()


@pytest.mark.parametrize("name", ["port", "admin_port"])
async def test_a_port_in_use_stops_the_start(process, name):
    with socket.create_server(("127.0.0.1", getattr(process, name))):
        process.start()
        assert await process.end() == 1
    assert "in use" in (process.directory / "log").read_text()
