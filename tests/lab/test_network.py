"""The main job, end to end: machines behind real NATs, a real control plane, a real relay."""

import base64
import json
import time
from itertools import combinations

import pytest

from tests.lab.demo import MACHINES, enrol, measure, settled
from tests.lab.net import loss_counter
from tests.lab.site import site, wait_until

pytestmark = pytest.mark.lab

PATTERN = "feedfacecafebeef"


class Network:
    def __init__(self, running, account, machines):
        self.site, self.account, self.machines = running, account, machines

    def path(self, a, b):
        return self.machines[a].peers()[b]["path"]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as running:
        account = running.sign_up("Lab")
        machines = enrol(running, account)
        wait_until(lambda: settled(machines), "a hybrid path between every pair", 60, pause=0.5)
        yield Network(running, account, machines)


def test_every_pair_is_hybrid_and_loses_nothing(network):
    pairs = measure(network.machines)
    assert [(pair["a"], pair["b"]) for pair in pairs] == list(combinations(MACHINES, 2))
    assert [pair["psk"] for pair in pairs] == ["hybrid"] * 3
    assert [pair["loss_pct"] for pair in pairs] == [0.0] * 3
    assert pairs[0]["path"] == "direct"


def test_a_change_in_the_console_reaches_the_agents(network):
    alpha = network.machines["alpha"]
    beta_id = alpha.peers()["beta"]["id"]
    began = time.monotonic()
    rename = {"action": "rename", "org_id": network.account.org_id, "machine_id": beta_id, "name": "bravo"}
    network.site.request("POST", "/api/machine-admin", token=network.account.token, json=rename)
    wait_until(lambda: "bravo" in alpha.peers(), "the new name on alpha", 5, pause=0.05)
    # Two starts of the CLI are in this figure; the push itself has a test of its own.
    assert time.monotonic() - began < 3
    network.site.request(
        "POST", "/api/machine-admin", token=network.account.token, json={**rename, "name": "beta"}
    )
    wait_until(lambda: "beta" in alpha.peers(), "the old name on alpha", 5)


def test_a_dead_direct_path_falls_back_to_the_relay_and_returns(network):
    alpha, beta = network.machines["alpha"], network.machines["beta"]
    address = alpha.ztna("ip", "beta").strip()
    wait_until(lambda: network.path("alpha", "beta") == "direct", "a direct path", 20)
    nat, other = alpha.host.router, beta.host.router
    with loss_counter(alpha.host, address) as outage:
        time.sleep(1)
        nat.block_udp(other)
        time.sleep(6)
    assert network.path("alpha", "beta") != "direct"
    assert outage["lost"] * 0.05 < 3, outage
    with loss_counter(alpha.host, address) as way_back:
        nat.unblock()
        began = time.monotonic()
        wait_until(lambda: network.path("alpha", "beta") == "direct", "a direct path again", 10)
        restored = time.monotonic() - began
        time.sleep(2)
    assert way_back["lost"] <= 1, way_back  # the one in flight when the counter stops
    assert restored < 10


def test_tunnels_outlive_the_control_plane(network):
    alpha = network.machines["alpha"]
    address = alpha.ztna("ip", "beta").strip()
    with loss_counter(alpha.host, address) as figures:
        network.site.stop_control()
        time.sleep(15)
        network.site.start_control()
        began = time.monotonic()

        def all_online():
            rows = network.site.request(
                "GET",
                f"/api/db/machines?org_id={network.account.org_id}&status=eq.online&select=name,last_seen",
                token=network.account.token,
            )
            return len(rows) == len(MACHINES)

        wait_until(all_online, "every machine online again", 10)
        assert time.monotonic() - began < 10
    assert figures["lost"] <= 1, figures


def test_neither_secrets_nor_plaintext_cross_the_network(network, tmp_path):
    site, alpha = network.site, network.machines["alpha"]
    captures = {}
    log_file = tmp_path / "tcpdump.log"
    with log_file.open("ab") as log:
        for host in (site.relay, site.control):
            captures[host.name] = tmp_path / f"{host.name}.pcap"
            command = ["tcpdump", "-Z", "root", "-U", "-i", "any", "-w", str(captures[host.name])]
            host.spawn(command, log=log)
        wait_until(lambda: log_file.read_text().count("listening on") == 2, "two captures", 10)
        for name in ("beta", "gamma"):
            address = alpha.ztna("ip", name).strip()
            alpha.host.run("ping", "-n", "-c", "20", "-i", "0.05", "-p", PATTERN, address)
        # A ping in the clear shows that the search below finds what it looks for.
        site.control.run("ping", "-n", "-c", "1", "-p", "0123456789abcdef", site.relay.address)
        clear = bytes.fromhex("0123456789abcdef")
        wait_until(
            lambda: all(clear in path.read_bytes() for path in captures.values()),
            "the clear ping in both captures",
            10,
        )
    seen = {name: path.read_bytes() for name, path in captures.items()}
    secrets = {PATTERN.encode(), bytes.fromhex(PATTERN)}
    for machine in network.machines.values():
        state = json.loads((machine.directory / "state.json").read_text())
        found = {value for name, value in _leaves(state) if "private" in name or name == "node_key"}
        assert len(found) >= 4
        for value in found:
            secrets.add(value.encode())
            if not value.startswith("nk_"):
                secrets.add(base64.b64decode(value))
    for capture in seen.values():
        assert not [secret for secret in secrets if secret in capture]


def test_state_is_for_its_owner_only(network):
    for machine in network.machines.values():
        assert machine.directory.stat().st_mode & 0o077 == 0
        for path in machine.directory.rglob("*"):
            if path.is_file():
                assert path.stat().st_mode & 0o077 == 0, path


def test_an_ended_agent_leaves_nothing_and_is_shown_offline(network):
    gamma = network.machines["gamma"]
    before = gamma.host.run("ip", "-br", "link")
    assert gamma.environment["QUICKZTNA_INTERFACE"] in before
    gamma.stop()
    assert gamma.process.returncode in (0, 130)
    assert gamma.environment["QUICKZTNA_INTERFACE"] not in gamma.host.run("ip", "-br", "link")
    assert "100.64" not in gamma.host.run("ip", "route", "show", "table", "all")
    assert gamma.host.run("nft", "list", "ruleset").strip() == ""

    def offline():
        rows = network.site.request(
            "GET",
            f"/api/db/machines?org_id={network.account.org_id}&name=eq.gamma&select=status",
            token=network.account.token,
        )
        return rows[0]["status"] == "offline"

    wait_until(offline, "gamma offline in the console", 10)
    gamma.up()
    wait_until(lambda: settled(network.machines), "gamma back without a key", 30, pause=0.5)


def test_a_killed_agent_leaves_nothing_and_starts_again(network):
    gamma = network.machines["gamma"]
    address = gamma.ztna("ip").strip()
    gamma.process.kill()
    gamma.process.wait(5)
    interface = gamma.environment["QUICKZTNA_INTERFACE"]
    wait_until(lambda: interface not in gamma.host.run("ip", "-br", "link"), "the tunnel's end", 5)
    gamma.up()
    wait_until(lambda: settled(network.machines), "gamma back after SIGKILL", 40, pause=0.5)
    assert gamma.ztna("ip").strip() == address


def _leaves(value, name=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    elif isinstance(value, str) and value:
        yield name, value
