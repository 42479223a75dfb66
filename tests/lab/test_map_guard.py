"""A control plane that has lost what it knew cannot cut the network; one that means it can, at once."""

import contextlib
import sqlite3
import time

import pytest

from tests.lab.site import site, wait_until

pytestmark = pytest.mark.lab

NAMES = ("alpha", "beta", "gamma", "delta")
AT_ONCE_SECONDS = 2.0  # a second, and the commands that look


class Network:
    """Four machines, each of which sees three others by the starter rule."""

    def __init__(self, running):
        self.site, self.ada = running, running.sign_up("Guarded")
        key = running.auth_key(self.ada)
        self.machines = [running.machine(running.lab.public_host(name)) for name in NAMES]
        for machine in self.machines:
            machine.up(key)
        self.alpha, self.beta = self.machines[:2]
        self.wait_for(3)
        self.slug = self.alpha.json("status")["tailnet"].partition(".")[0]

    def manage(self, action, **values):
        body = {"action": action, "org_id": self.ada.org_id, **values}
        return self.site.request("POST", "/api/org-management", token=self.ada.token, json=body)

    def rules(self, method, rule_id=None, **values):
        query = {"org_id": self.ada.org_id} | ({"id": f"eq.{rule_id}"} if rule_id else {})
        return self.site.request(
            method, "/api/db/acl_rules", token=self.ada.token, params=query, json=values or None
        )

    def wait_for(self, peers, seconds=30):
        """Until every machine has that many peers; how long it took."""
        began = time.monotonic()
        for machine in self.machines:
            wait_until(lambda one=machine: len(one.peers()) == peers, f"{peers} peers", seconds, pause=0.05)
        return time.monotonic() - began

    def refused(self):
        return [machine.json("status")["map_refused"] for machine in self.machines]

    def reaches(self):
        address = self.beta.ztna("ip").strip()
        return (
            self.alpha.host.run("ping", "-c", "1", "-W", "2", address, check=False).count("1 received") == 1
        )

    def lose(self, *statements):
        """Take rows out of the database, which no service knows of."""
        self.site.stop_control()
        (path,) = (self.site.directory / "control").glob("*.sqlite3")
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            for statement in statements:
                database.execute(statement)
        self.site.start_control()


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as running:
        yield Network(running)


def test_a_policy_that_vanished_cuts_nobody_and_is_reported(network):
    network.lose("DELETE FROM acl_rules", "UPDATE organizations SET netmap_version = netmap_version + 1")
    wait_until(lambda: all(network.refused()), "refusals", 40)
    assert {refused["lost"] for refused in network.refused()} == {3}
    assert [len(machine.peers()) for machine in network.machines] == [3] * 4
    assert network.reaches()
    assert "is not acted on" in network.alpha.ztna("status")
    query = {"org_id": network.ada.org_id, "action": "eq.machine.map_refused"}
    found = network.site.request("GET", "/api/db/audit_logs", token=network.ada.token, params=query)
    assert {row["details"]["name"] for row in found} == set(NAMES)
    # Put right, it is followed again without anybody's help.
    network.rules("POST", name="everything", source="*", destination="*")
    wait_until(lambda: not any(network.refused()), "maps that are followed", 30)
    assert network.reaches()


def test_lockdown_and_a_change_of_policy_act_at_once(network):
    network.wait_for(3)
    network.manage("update_org_settings", lockdown_mode=True, confirm=network.slug)
    assert network.wait_for(0) < AT_ONCE_SECONDS
    assert not network.reaches()
    network.manage("update_org_settings", lockdown_mode=False, confirm=network.slug)
    network.wait_for(3)
    for row in network.rules("GET"):
        network.rules("DELETE", row["id"])
    assert network.wait_for(0) < AT_ONCE_SECONDS
    assert not any(network.refused())


def test_only_a_removal_on_record_ends_a_machine(network):
    network.rules("POST", name="everything", source="*", destination="*")
    network.wait_for(3)
    gone = network.machines.pop()
    body = {"action": "delete", "machine_id": gone.json("status")["machine"]["id"]}
    network.site.request("POST", "/api/machine-admin", token=network.ada.token, json=body)
    assert gone.process.wait(10) != 0
    network.wait_for(2)
    network.lose("DELETE FROM machines")
    wait_until(lambda: all(map(unknown, network.machines)), "refusals", 40)
    assert [machine.process.poll() for machine in network.machines] == [None] * 3
    assert network.reaches()


def unknown(machine):
    return "not proven" in (machine.json("status")["refusal"] or "")
