"""Pair keys renewed every five seconds, on real tunnels: nothing is lost, and either side may restart."""

import json
import time

import pytest

from tests.lab.net import loss_counter
from tests.lab.psk import PAIRS, exchanges, keyring, load, network
from tests.lab.site import wait_until

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    with network(tmp_path_factory.mktemp("psk")) as found:
        yield found


def current(machines, a, b):
    return keyring(machines[a], b).get("current")


def test_a_minute_of_renewals_loses_nothing_direct_or_relayed(machines):
    before = sum(exchanges(machine) for machine in machines.values())
    pairs = load(machines, 60)
    assert [pair["lost"] for pair in pairs] == [0, 0], pairs
    assert {pair["path"] for pair in pairs} == {"direct", "derp"}
    for pair in pairs:
        assert pair["renewals"] >= 8, pairs
        assert pair["longest_difference_s"] < 10, pairs
    assert sum(exchanges(machine) for machine in machines.values()) == before


@pytest.mark.parametrize("name", ["alpha", "beta"])
def test_a_killed_machine_comes_back_with_its_renewed_key(machines, name):
    """Its first handshake finds the peer at the same key: no exchange through the control plane."""
    machine, other = machines[name], machines["beta" if name == "alpha" else "alpha"]
    wait_until(lambda: current(machines, name, other.host.name).get("epoch", 0) > 5, "a few renewals", 60)
    counts = {key: exchanges(value) for key, value in machines.items()}
    machine.process.kill()
    machine.process.wait(5)
    machine.up()
    address = wait_until(lambda: machine.ztna("ip", other.host.name, check=False).strip(), "an address", 20)
    wait_until(
        lambda: "1 received" in machine.host.run("ping", "-n", "-c1", "-W1", address, check=False),
        "traffic after the restart",
        20,
    )
    assert current(machines, name, other.host.name)["epoch"] > 5
    assert {key: exchanges(value) for key, value in machines.items()} == counts


@pytest.mark.parametrize(("name", "other"), [("alpha", "beta"), ("beta", "alpha")])
def test_lost_key_files_are_noticed_and_the_pair_agrees_anew(machines, name, other):
    """Once the side that offers lost them, once the other."""
    machine, peer = machines[name], machines[other]
    before = exchanges(peer)
    machine.process.kill()
    machine.process.wait(5)
    for path in (machine.directory / "psk").glob("*.json"):
        path.unlink()
    machine.up()
    began = time.monotonic()
    wait_until(lambda: exchanges(peer) > before, "an exchange through the control plane", 60)
    address = peer.ztna("ip", name).strip()
    wait_until(
        lambda: "1 received" in peer.host.run("ping", "-n", "-c1", "-W1", address, check=False),
        "traffic with the new key",
        60 - (time.monotonic() - began),
    )
    wait_until(
        lambda: current(machines, name, other) == current(machines, other, name), "one key on both", 10
    )


def test_renewals_go_on_without_a_control_plane_and_show_no_key(machines):
    site = machines["alpha"].site
    a, b = PAIRS[0]
    epoch = current(machines, a, b)["epoch"]
    with loss_counter(machines[a].host, machines[a].ztna("ip", b).strip()) as figures:
        site.stop_control()
        wait_until(lambda: current(machines, a, b)["epoch"] >= epoch + 2, "two renewals", 30)
    site.start_control()
    assert figures["lost"] <= 1, figures  # the one in flight when the counter stops
    secrets = [key["psk"] for key in (current(machines, a, b), current(machines, b, a))]
    logs = "".join(path.read_text() for path in site.directory.rglob("*.log"))
    assert "psk renewed" in logs
    shown = logs + json.dumps(machines[a].json("status")) + json.dumps(machines[a].json("peers"))
    assert not any(secret in shown for secret in secrets)
