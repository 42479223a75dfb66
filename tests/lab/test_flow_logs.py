"""Flow logs from end to end: packets in a tunnel become rows that name the rule."""

import socket

import pytest
from pyroute2 import netns

from tests.lab.nats import Nat
from tests.lab.site import site, wait_until

pytestmark = pytest.mark.lab

SIZE = 100_000


class Network:
    """Two machines, and an administrator who watches."""

    def __init__(self, running):
        self.site, self.ada = running, running.sign_up("Flows")
        key = running.auth_key(self.ada)
        self.machines = [
            running.machine(running.lab.private_host(name, running.lab.nat(Nat.PORT_RESTRICTED)))
            for name in ("alpha", "beta")
        ]
        for machine in self.machines:
            machine.up(key)
        self.alpha, self.beta = self.machines
        wait_until(lambda: self.alpha.peers().get("beta", {}).get("path") == "direct", "a direct path", 30)
        self.address = self.alpha.ztna("ip", "beta").strip()
        for row in self.rules("GET"):
            self.rules("DELETE", row["id"])
        self.rules("POST", name="web", source="*", destination="*", protocol="tcp", ports="8080")

    def rules(self, method, rule_id=None, **values):
        query = {"org_id": self.ada.org_id} | ({"id": f"eq.{rule_id}"} if rule_id else {})
        return self.site.request(
            method, "/api/db/acl_rules", token=self.ada.token, params=query, json=values or None
        )

    def ask(self, path, action, **values):
        body = {"action": action, "org_id": self.ada.org_id, **values}
        return self.site.request("POST", path, token=self.ada.token, json=body)

    def flows(self, **filters):
        return self.ask("/api/policy", "flows", **filters)["flows"]

    def table(self):
        listed = self.beta.host.run("nft", "list", "ruleset")
        return listed[listed.index("table inet quickztna") :]

    def connects(self, port, size=0):
        """Whether alpha reaches beta; then it sends some bytes."""
        netns.pushns(self.alpha.host.namespace)
        try:
            with socket.create_connection((self.address, port), timeout=1) as client:
                client.sendall(bytes(size))
                client.shutdown(socket.SHUT_WR)
                client.settimeout(5)
                return client.recv(1) == b""
        except OSError:
            return False
        finally:
            netns.popns()


def test_what_flows_and_what_is_refused_is_found_with_the_rule_that_decided(tmp_path):
    with site(tmp_path) as running:
        network = Network(running)
        with open(tmp_path / "server.log", "wb") as log:
            swallow = (
                "import socketserver as s; h=type('H',(s.StreamRequestHandler,),"
                "{'handle':lambda self:self.rfile.read()});"
                "s.ThreadingTCPServer(('',8080),h).serve_forever()"
            )
            network.beta.host.spawn(["python3", "-c", swallow], log=log)
        wait_until(lambda: network.connects(8080), "a server", 10)
        assert not network.connects(22)
        assert " log " not in network.table(), "nobody asked for it"

        network.ask("/api/org-management", "update_org_settings", flow_logs_enabled=True)
        wait_until(lambda: " log " in network.table(), "logging", 5)
        assert network.connects(8080, SIZE)
        assert not network.connects(22)
        wait_until(lambda: len(network.flows()) >= 2, "rows", 25)
        allowed, denied = network.flows(verdict="allow"), network.flows(verdict="deny")
        ends = {
            (row["source"]["name"], row["destination"]["name"], row["machine"]["name"]) for row in allowed
        }
        assert ends == {("alpha", "beta", "beta")}
        assert {(row["protocol"], row["port"], row["rule"]["name"]) for row in allowed} == {
            ("tcp", 8080, "web")
        }
        assert SIZE < sum(row["bytes"] for row in allowed) < 1.3 * SIZE
        assert sum(row["count"] for row in allowed) == 1
        assert {(row["protocol"], row["port"], row["rule"]) for row in denied} == {("tcp", 22, None)}

        network.ask("/api/org-management", "update_org_settings", flow_logs_enabled=False)
        wait_until(lambda: " log " not in network.table(), "silence", 5)
        assert network.connects(8080)
