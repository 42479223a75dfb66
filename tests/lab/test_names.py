"""What is set on the DNS page, seen in DNS packets on the machines."""

import json
import sys

import pytest

from tests.lab.demo import enrol, settled
from tests.lab.site import site, wait_until

pytestmark = pytest.mark.lab

SOON = 10
RESOLVER = "100.100.100.100"
# A stub resolver of its own: what the host's configuration says does not matter.
ASK = f"""
import json, sys
import dns.message, dns.query
answer = dns.query.udp(dns.message.make_query(sys.argv[1], sys.argv[2]), "{RESOLVER}", timeout=2)
print(json.dumps([[line.to_text() for line in rrset] for rrset in answer.answer]))
"""


class Network:
    """Three machines and the calls of their administrator."""

    def __init__(self, running):
        self.site, self.account = running, running.sign_up("Lab")
        self.machines = enrol(running, self.account)
        wait_until(lambda: settled(self.machines), "a hybrid path between every pair", 60, pause=0.5)
        self.domain = self.dns("get_settings")["domain"]

    def dns(self, action, **values):
        body = {"action": action, "org_id": self.account.org_id, **values}
        return self.site.request("POST", "/api/dns-management", token=self.account.token, json=body)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as running:
        yield Network(running)


def packets(machine, name, kind="A"):
    """The answers that the machine's resolver gives to a DNS query; None while it is silent."""
    output = machine.host.run(sys.executable, "-c", ASK, name, kind, check=False)
    return [value for rrset in json.loads(output) for value in rrset] if output.strip() else None


def becomes(machine, name, wanted):
    wait_until(lambda: packets(machine, name) == wanted, f"{name} is {wanted}", SOON)


def test_records_reach_the_resolvers_and_leave_them(network):
    alpha, beta = network.machines["alpha"], network.machines["beta"]
    full = f"db.{network.domain}"
    assert packets(alpha, full) == []
    record = network.dns("add_record", name="db", value="192.0.2.7")
    alias = network.dns("add_record", name="www", type="CNAME", value="beta")
    address = beta.ztna("ip", "beta").strip()
    for machine in (alpha, beta):
        becomes(machine, full, ["192.0.2.7"])
        becomes(machine, f"www.{network.domain}", [f"beta.{network.domain}.", address])
    assert alpha.json("dns", "query", "db")["addresses"] == ["192.0.2.7"]
    for row in (record, alias):
        network.dns("remove_record", record_id=row["id"])
    becomes(alpha, full, [])
    becomes(beta, full, [])


def test_an_agent_that_is_down_asks_the_control_plane(network):
    gamma, beta = network.machines["gamma"], network.machines["beta"]
    network.dns("add_record", name="down", value="192.0.2.8")
    address = beta.ztna("ip", "beta").strip()
    gamma.stop()
    assert gamma.json("dns", "query", "beta")["addresses"] == [address]
    assert gamma.json("dns", "query", f"down.{network.domain}")["source"] == "custom"
    assert gamma.json("dns", "query", "nobody")["addresses"] == []


def test_without_magic_dns_nothing_is_answered_until_it_is_back(network):
    alpha = network.machines["alpha"]
    beta = f"beta.{network.domain}"
    assert packets(alpha, beta)
    network.dns("update_settings", magic_dns_enabled=False)
    wait_until(lambda: not packets(alpha, beta), "no name of a machine", SOON)
    network.dns("update_settings", magic_dns_enabled=True)
    wait_until(lambda: packets(alpha, beta), "names of machines", SOON)
