"""Paths that change under traffic: roaming, a relay that dies, moves between relay and direct."""

import contextlib
import json
import re
import sys
import time

import pytest

from tests.lab import nat
from tests.lab.delay import Link
from tests.lab.nats import Nat
from tests.lab.site import OTHER_REGION, REGION, site, wait_until

pytestmark = pytest.mark.lab

DELAYS_MS = (0, 40, 150)
MOVE = re.compile(r"agent\.network path peer=(\S+) to=(\S+)")


@contextlib.contextmanager
def pings(machine, target, log_file):
    """50 pings a second while the block runs; afterwards the dict holds what tests.lab.pinger prints."""
    figures = {}
    with log_file.open("wb") as log:
        process = machine.host.spawn(
            [sys.executable, "-m", "tests.lab.pinger", target],
            log=log,
            env={"PYTHONPATH": machine.environment["PYTHONPATH"]},
        )
        try:
            yield figures
            time.sleep(2)  # answers that are under way
        finally:
            process.terminate()
            process.wait(5)
    figures.update(json.loads(log_file.read_text()))


def path(machine, other):
    return (machine.peers().get(other.host.name) or {}).get("path")


def pair(running, left, right, port="auto", url=None, seconds=30, account=None):
    """Two enrolled machines that talk."""
    key = running.auth_key(account or running.sign_up("Lab"))
    machines = [running.machine(host) for host in (left, right)]
    for machine in machines:
        machine.environment |= {"QUICKZTNA_PORT": port, "ZTNA_API_URL": url or running.control_url}
        machine.up(key)
    wait_until(lambda: path(*machines) in ("direct", "derp"), "a session", seconds)
    return machines


@pytest.mark.parametrize("delay", DELAYS_MS)
def test_pairs_meet_directly_wherever_they_can(delay):
    document = nat.run(
        delay,
        ["port-restricted:port-restricted", "symmetric:symmetric"],
    )
    assert document["unreached"] == []
    assert document["not_direct_though_possible"] == []
    assert {row["path"] for row in document["pairs"]} == {"direct", "derp"}
    # Loss is counted from the first answer on: the move from relay to direct is in it.
    assert {row["loss_pct"] for row in document["pairs"]} == {0.0}


@pytest.mark.parametrize("delay", DELAYS_MS)
def test_a_machine_that_changes_its_network_is_back_within_two_seconds(delay, tmp_path):
    with site(tmp_path, link=Link(delay_ms=delay) if delay else None) as running:
        lab = running.lab
        home, hotspot = lab.nat(Nat.PORT_RESTRICTED), lab.nat(Nat.PORT_RESTRICTED)
        left = lab.private_host("alpha", home)
        gateway = lab.second_line(left, hotspot, "wlan0")
        left.run("ip", "route", "replace", "default", "via", str(home.inside[0][1]))
        alpha, beta = pair(running, left, lab.private_host("beta", lab.nat(Nat.PORT_RESTRICTED)))
        wait_until(lambda: path(alpha, beta) == "direct" == path(beta, alpha), "a direct path", 20)
        with pings(alpha, alpha.ztna("ip", "beta").strip(), tmp_path / "pings") as figures:
            time.sleep(2)
            left.run("ip", "link", "set", "eth0", "down")
            left.run("ip", "link", "set", "wlan0", "up")
            left.run("ip", "route", "replace", "default", "via", gateway)
            wait_until(lambda: path(alpha, beta) == "direct", "a direct path again", 15)
            time.sleep(3)
        assert figures["outages_s"], "the change was not even noticed"
        # One outage, and nothing more is lost after it.
        assert len(figures["outages_s"]) == 1, figures
        # A new link to the relay takes five round trips, which is more than half of this at 150 ms.
        assert figures["outages_s"][0] < (2 if delay < 100 else 2.5), figures


def test_another_region_takes_over_from_a_relay_that_dies(tmp_path):
    with site(tmp_path, regions=(REGION, OTHER_REGION)) as running:
        lab = running.lab
        hosts = [lab.private_host(name, lab.nat(Nat.SYMMETRIC)) for name in ("alpha", "beta")]
        alpha, beta = pair(running, *hosts)
        wait_until(lambda: path(alpha, beta) == "derp" == path(beta, alpha), "a relayed path", 20)
        home = alpha.json("status")["derp_region"]
        with pings(alpha, alpha.ztna("ip", "beta").strip(), tmp_path / "pings") as figures:
            time.sleep(2)
            running.stop_relay(home, signal=9)
            time.sleep(8)
        assert alpha.json("status")["derp_region"] not in (None, home)
        assert len(figures["outages_s"]) <= 1, figures
        assert sum(figures["outages_s"]) < 5, figures


def test_ten_changes_of_region_under_pings_lose_nothing(tmp_path):
    with site(tmp_path, regions=(REGION, OTHER_REGION)) as running:
        lab = running.lab
        account = running.sign_up("Lab")
        ids = running.own_regions(account)

        def switch(region, enabled):
            query = {"org_id": account.org_id, "id": f"eq.{ids[region]}"}
            options = {"token": account.token, "params": query, "json": {"enabled": enabled}}
            running.request("PATCH", "/api/db/derp_regions", **options)

        def at_home(region):
            shown = [machine.json("debug", "derp") for machine in machines]
            return all(
                (each["home_region"], each["connected"], {peer["region"] for peer in each["peers"]})
                == (region, True, {region})
                for each in shown
            )

        switch(REGION, True)
        hosts = [lab.private_host(name, lab.nat(Nat.SYMMETRIC)) for name in ("alpha", "beta")]
        machines = pair(running, *hosts, account=account)
        wait_until(lambda: at_home(REGION), "a home", 20)
        target = machines[0].ztna("ip", "beta").strip()
        with pings(machines[0], target, tmp_path / "pings") as figures:
            time.sleep(1)
            for number in range(1, 11):
                old, new = (REGION, OTHER_REGION)[:: 1 if number % 2 else -1]
                switch(new, True)
                switch(old, False)
                wait_until(lambda region=new: at_home(region), f"{new} as home", 20)
                # Once for longer than the old links are kept.
                time.sleep(12 if number == 5 else 0.5)
            assert {path(*machines), path(*machines[::-1])} == {"derp"}
        assert figures["lost"] == 0, figures
        assert figures["sent"] > 50 * 20
        for machine in machines:
            moves = re.findall(r"relay (\S+) is home now", (machine.directory / "ztna.log").read_text())
            assert moves == [OTHER_REGION, REGION] * 5


@pytest.mark.parametrize(("port", "family", "rounds"), [("auto", 4, 15), ("auto", 6, 6), ("owned", 4, 6)])
def test_moves_between_relay_and_direct_under_load_lose_nothing(port, family, rounds, tmp_path):
    with site(tmp_path) as running:
        lab, names = running.lab, ("alpha", "beta")
        if family == 4:
            hosts = [lab.private_host(name, lab.nat(Nat.PORT_RESTRICTED)) for name in names]
            place = f"{hosts[1].router.address}:41641"
        else:
            hosts = [lab.public_host(name, ipv4=False, ipv6=True) for name in names]
            place = f"[{hosts[1].address6}]:41641"
        url = f"https://[{running.control.address6}]" if family == 6 else running.control_url
        alpha, beta = pair(running, *hosts, port=port, url=url)
        wait_until(lambda: path(alpha, beta) == "direct" == path(beta, alpha), "a direct path", 20)
        log, target = alpha.directory / "ztna.log", alpha.ztna("ip", "beta").strip()
        begun = len(log.read_text())

        def moves():
            return [to for peer, to in MOVE.findall(log.read_text()[begun:])]

        with pings(alpha, target, tmp_path / "pings") as figures:
            for number in range(rounds):
                alpha.ztna("debug", "path", "beta", "--relay")
                # Now and then for longer than late packets are expected, so that the peer follows.
                time.sleep(6 if number % 10 == 5 else 0.3)
                alpha.ztna("debug", "path", "beta", "--auto")
                wait_until(lambda due=2 * number + 2: len(moves()) >= due, "the direct path", 10, pause=0.02)
        seen = moves()
        assert seen == ["relay", place] * rounds, seen
        assert figures["lost"] == 0, figures
        assert figures["sent"] > 20 * rounds
        carried = alpha.json("debug", "metrics")["packets_per_call_out"]
        assert (carried is not None) == (port == "owned")
