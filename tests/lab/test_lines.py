"""Two regions, each near to some: who is at home where, and which packets take the way by a relay."""

import re
import socket
import threading
import time

import httpx
import pytest

from tests.lab.delay import Link
from tests.lab.filtered import inside
from tests.lab.nats import Nat
from tests.lab.net import parse_ping
from tests.lab.site import OTHER_REGION, REGION, RELAY_ADMIN_PORT, site, wait_until
from tests.lab.test_paths import path, pings

pytestmark = pytest.mark.lab

FAR_FROM = {"alpha": REGION, "beta": OTHER_REGION, "gamma": REGION}
NEAREST = {"alpha": OTHER_REGION, "beta": REGION, "gamma": OTHER_REGION}
FAR = 30.0
TRANSFER_BYTES = 10_000_000


class Lines:
    """Three machines behind NATs of their own, each with a long line to one of two regions."""

    def __init__(self, running):
        self.site, self.account = running, running.sign_up("Lab")
        key, self.machines = running.auth_key(self.account), {}
        for name, region in FAR_FROM.items():
            link = Link(delay_ms=FAR, only=running.relays[region].address)
            router = running.lab.nat(Nat.PORT_RESTRICTED, link=link)
            machine = self.machines[name] = running.machine(running.lab.private_host(name, router))
            machine.up(key)
        wait_until(self.direct, "a direct path", 40)

    def direct(self):
        alpha, beta = self.machines["alpha"], self.machines["beta"]
        return path(alpha, beta) == "direct" == path(beta, alpha)

    def lead(self, way):
        """Keep the pair on the relay, or let it choose; both, for one alone is answered directly."""
        for one, other in (("alpha", "beta"), ("beta", "alpha")):
            self.machines[one].ztna("debug", "path", other, way)

    def carried(self):
        """Bytes that the relays took from machines for machines."""
        total = 0
        for host in self.site.relays.values():
            with inside(host):
                page = httpx.get(f"http://127.0.0.1:{RELAY_ADMIN_PORT}/metrics", trust_env=False).text
            total += int(re.search(r"^quickztna_relay_bytes_total (\d+)", page, re.MULTILINE)[1])
        return total

    def status(self, name):
        """A machine's status in the console."""
        query = {"org_id": self.account.org_id, "name": f"eq.{name}", "select": "status"}
        rows = self.site.request("GET", "/api/db/machines", token=self.account.token, params=query)
        return rows[0]["status"]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site"), regions=(REGION, OTHER_REGION)) as running:
        yield Lines(running)


def ping(machine, address, count, interval=0.05):
    return parse_ping(
        machine.host.run("ping", "-n", "-c", str(count), "-i", str(interval), "-W", "2", address)
    )


def _write(client):
    client.sendall(bytes(TRANSFER_BYTES))
    client.shutdown(socket.SHUT_WR)


def transfer(source, target, address):
    """Send bytes over TCP through the tunnel; how many arrived."""
    with inside(target.host):
        server = socket.create_server((address, 0))
    with server:
        with inside(source.host):
            client = socket.create_connection(server.getsockname(), timeout=10)
        with client, server.accept()[0] as served:
            writer = threading.Thread(target=_write, args=(client,))
            writer.start()
            arrived = 0
            while chunk := served.recv(1 << 20):
                arrived += len(chunk)
            writer.join()
    return arrived


def test_each_machine_is_at_home_in_the_region_that_is_nearest(lines):
    found = {name: machine.json("netcheck") for name, machine in lines.machines.items()}
    assert {name: each["nearest_derp"] for name, each in found.items()} == NEAREST
    assert {each["stun_status"] for each in found.values()} == {"ok"}
    places = {name: machine.host.router.address for name, machine in lines.machines.items()}
    assert {name: each["public_ip"] for name, each in found.items()} == places
    for name, machine in lines.machines.items():
        shown = machine.json("debug", "derp")
        assert (shown["home_region"], shown["connected"]) == (NEAREST[name], True)
        latencies = shown["latencies_ms"]
        assert latencies[FAR_FROM[name]] > 2 * FAR > latencies[NEAREST[name]], latencies


def test_no_tunnel_data_takes_the_relay_while_the_path_is_direct(lines):
    alpha, beta = lines.machines["alpha"], lines.machines["beta"]
    address = alpha.ztna("ip", "beta").strip()
    assert lines.direct()
    before = lines.carried()
    assert ping(alpha, address, 100, 0.02)["received"] == 100
    assert transfer(alpha, beta, address) == TRANSFER_BYTES
    assert lines.carried() - before < 4096  # of gamma's keepalives
    assert lines.direct()


def test_a_relayed_pair_loses_nothing_and_the_direct_path_is_shorter(lines):
    alpha, address = lines.machines["alpha"], lines.machines["beta"].ztna("ip").strip()
    direct, before = ping(alpha, address, 20), lines.carried()
    lines.lead("--relay")
    try:
        relayed = ping(alpha, address, 20)
    finally:
        lines.lead("--auto")
    assert direct["received"] == relayed["received"] == 20
    # The home of either is far from the other.
    assert relayed["rtt_ms"] > 2 * FAR > direct["rtt_ms"], (direct, relayed)
    assert lines.carried() - before > 40 * 84
    wait_until(lines.direct, "the direct path again", 15)


def test_down_and_up_cost_one_outage_and_keep_the_address(lines, tmp_path):
    alpha, beta = lines.machines["alpha"], lines.machines["beta"]
    address = beta.ztna("ip").strip()
    with pings(alpha, address, tmp_path / "pings") as figures:
        time.sleep(1)
        down = time.monotonic()
        assert "warning" not in ended(beta)
        wait_until(lambda: lines.status("beta") == "offline", "beta offline in the console", 10)
        wait_until(lambda: not alpha.peers()["beta"]["online"], "beta offline at alpha", 10)
        time.sleep(3)
        beta.up()
        pause = time.monotonic() - down
        wait_until(lines.direct, "the direct path again", 30)
        time.sleep(1)
    assert len(figures["outages_s"]) == 1, figures
    assert figures["outages_s"][0] < pause + 10, figures
    assert beta.ztna("ip").strip() == address


def ended(machine):
    """What `ztna down` says; it succeeds, and nothing of the agent is left."""
    command = ("sh", "-c", 'exec "$@" 2>&1', "sh", *machine.argv, "down")
    said = machine.host.run(*command, env=machine.environment)
    assert "VPN stopped." in said
    assert machine.process.wait(5) == 0
    assert machine.environment["QUICKZTNA_INTERFACE"] not in machine.host.run("ip", "-br", "link")
    assert machine.host.run("nft", "list", "ruleset").strip() == ""
    return said


def test_down_without_a_network_warns_and_ends_all_the_same(lines):
    gamma = lines.machines["gamma"]
    assert gamma.json("status")["control_connected"]
    gamma.host.router.nft("table ip cut { chain p { type filter hook forward priority -10; drop; }; }")
    assert "warning: the control plane was not reached" in ended(gamma)
    assert lines.status("gamma") == "online"  # until the sweep
