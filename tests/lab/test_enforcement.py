"""What an administrator decides about machines, seen in packets between them."""

import itertools

import pytest

from tests.lab.demo import enrol, settled
from tests.lab.net import LabError, parse_ping
from tests.lab.site import site, wait_until

pytestmark = pytest.mark.lab

LAN, SERVER, INTERNET = "10.88.1.0/24", "10.88.1.9", "198.51.100.80"
SOON = 10


class Network:
    """Three machines, and behind beta a host that only beta can reach."""

    def __init__(self, running):
        self.site, self.account = running, running.sign_up("Lab")
        self.machines = enrol(running, self.account)
        wait_until(lambda: settled(self.machines), "a hybrid path between every pair", 60, pause=0.5)
        self.alpha, self.beta = self.machines["alpha"], self.machines["beta"]
        server = running.lab.public_host("server")
        server.run("ip", "link", "set", "eth0", "down")
        self.beta.host.run(
            *("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan0"),
            *("netns", server.namespace),
        )
        for host, address in ((self.beta.host, "10.88.1.1/24"), (server, f"{SERVER}/24")):
            host.run("ip", "addr", "add", address, "dev", "lan0")
            host.run("ip", "link", "set", "lan0", "up")
        server.run("ip", "addr", "add", f"{INTERNET}/32", "dev", "lo")
        self.beta.host.run("ip", "route", "add", f"{INTERNET}/32", "via", SERVER)

    def admin(self, machine, action, **values):
        identity = machine.json("status")["machine"]["id"]
        body = {"action": action, "machine_id": identity, **values}
        return self.site.request("POST", "/api/machine-admin", token=self.account.token, json=body)

    def switch(self, **settings):
        body = {"action": "update_org_settings", "org_id": self.account.org_id, **settings}
        self.site.request("POST", "/api/org-management", token=self.account.token, json=body)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as running:
        yield Network(running)


def answers(machine, address):
    output = machine.host.run("ping", "-n", "-c", "1", "-W", "1", address, check=False)
    return parse_ping(output)["loss_pct"] == 0


def becomes(machine, address, wanted):
    state = "reachable" if wanted else "cut off"
    wait_until(lambda: answers(machine, address) is wanted, f"{address} {state}", SOON)


def test_a_subnet_is_reached_once_it_is_offered_approved_and_accepted(network):
    alpha, beta = network.alpha, network.beta
    beta.ztna("set", "--advertise-routes", LAN)
    assert not answers(alpha, SERVER)
    alpha.ztna("set", "--accept-routes")
    assert not answers(alpha, SERVER)
    assert network.admin(beta, "approve_routes")["approved_routes"] == [LAN]
    becomes(alpha, SERVER, True)
    network.admin(beta, "reject_routes", routes=[LAN])
    becomes(alpha, SERVER, False)


def test_an_exit_node_carries_the_rest(network):
    alpha, beta = network.alpha, network.beta
    with pytest.raises(LabError, match="exit nodes not allowed for this org"):
        beta.ztna("set", "--advertise-exit-node")
    network.switch(allow_exit_nodes=True)
    beta.ztna("set", "--advertise-exit-node")
    network.admin(beta, "approve_exit_node")
    assert not answers(alpha, INTERNET)
    wait_until(lambda: [node["name"] for node in alpha.json("exit-node", "list")], "an exit node", SOON)
    alpha.ztna("set", "--exit-node", "beta")
    becomes(alpha, INTERNET, True)
    # The administrator's word ends it, and nothing leaves in clear in its place.
    network.switch(allow_exit_nodes=False)
    becomes(alpha, INTERNET, False)
    alpha.ztna("set", "--exit-node", "off")
    assert answers(alpha, beta.ztna("ip").strip())


def test_shields_up_refuses_new_flows_and_keeps_own(network):
    alpha, beta = network.alpha, network.beta
    to_alpha, to_beta = alpha.ztna("ip").strip(), beta.ztna("ip").strip()
    assert answers(alpha, to_beta)
    beta.ztna("set", "--shields-up")
    becomes(alpha, to_beta, False)
    assert answers(beta, to_alpha)
    beta.ztna("set", "--shields-up=false")
    becomes(alpha, to_beta, True)


def test_a_quarantined_machine_is_cut_off_both_ways(network):
    addresses = {name: machine.ztna("ip").strip() for name, machine in network.machines.items()}
    network.admin(network.beta, "quarantine", reason="test")
    for one, other in itertools.permutations(("alpha", "beta"), 2):
        becomes(network.machines[one], addresses[other], False)
    network.admin(network.beta, "unquarantine")
    becomes(network.alpha, addresses["beta"], True)
