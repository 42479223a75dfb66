"""A real firewall turned off and on inside a machine, and what the control plane makes of it."""

import json

import pytest

from tests.lab.site import site, wait_until

pytestmark = pytest.mark.lab

# A report a minute, and time to carry it out.
NEXT_REPORT_SECONDS = 75
# Port 9 is discard (RFC 863): nothing here uses it.
FIREWALL = """
table inet office {
  chain input { type filter hook input priority 0; policy accept; tcp dport 9 drop; }
}
"""


class Office:
    """A machine under a policy that asks for a firewall, in an organisation that enforces it."""

    def __init__(self, running):
        self.site, self.ada = running, running.sign_up("Lab")
        self.machine = running.machine(running.lab.public_host("laptop", ipv6=True))
        self.other = running.machine(running.lab.public_host("desk", ipv6=True))
        for machine in (self.machine, self.other):
            machine.up(running.auth_key(self.ada))
        wait_until(lambda: "desk" in self.machine.peers(), "a peer", 30)

    def table(self, table, method="GET", **values):
        return self.site.request(
            method,
            f"/api/db/{table}",
            token=self.ada.token,
            params={"org_id": self.ada.org_id},
            json=values or None,
        )

    def report_of(self, name):
        ids = {row["name"]: row["id"] for row in self.table("machines")}
        rows = [row for row in self.table("posture_reports") if row["machine_id"] == ids[name]]
        assert len(rows) <= 1
        return rows[0] if rows else None

    def state(self, name):
        (row,) = [row for row in self.table("machines") if row["name"] == name]
        return row["status"], row["quarantine_reason"]

    def set_mode(self, mode):
        body = {"action": "update_org_settings", "org_id": self.ada.org_id, "posture_enforcement": mode}
        self.site.request("POST", "/api/org-management", token=self.ada.token, json=body)


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    with site(tmp_path_factory.mktemp("site")) as running:
        yield Office(running)


def test_the_verdict_follows_the_firewall_of_the_machine(office):
    machine = office.machine
    # The agent's own table refuses too, and counts for nothing.
    assert "quickztna_" in machine.host.run("nft", "list", "tables")
    first = wait_until(lambda: office.report_of("laptop"), "a first report", 30)
    assert first["firewall_enabled"] is False
    assert first["os_version"].startswith("linux/")
    (machine.directory / "attributes.json").write_text(json.dumps({"asset": "L-7"}))

    office.table("posture_policies", "POST", name="Firewall", require_firewall=True, scope={"tags": ["none"]})
    office.set_mode("enforce")
    assert office.state("laptop") == ("online", None)
    # On the other machine the firewall stands from the beginning.
    office.other.host.nft(FIREWALL)
    office.other.ztna("posture", "status", "--report")
    office.table("posture_policies", "POST", name="Firewall everywhere", require_firewall=True)
    assert office.state("laptop") == ("quarantined", "posture")
    assert office.state("desk")[0] == "online"
    wait_until(lambda: not machine.peers(), "a machine without peers", 10)

    shown = json.loads(machine.ztna("posture", "status", "--json"))
    assert shown["firewall_enabled"] is False

    machine.host.nft(FIREWALL)
    machine.ztna("posture", "status", "--report")
    lifted = office.report_of("laptop")
    assert lifted["compliant"] is True
    assert (lifted["id"], lifted["firewall_enabled"]) == (first["id"], True)
    assert lifted["reported_at"] > first["reported_at"]
    assert lifted["custom_attributes"] == {"asset": "L-7"}
    assert office.state("laptop") == ("online", None)
    wait_until(lambda: "desk" in machine.peers(), "its peer again", 10)
    assert "COMPLIANT (mode enforce)" in machine.ztna("posture", "status")

    # Off again: this time the agent's own cycle brings the quarantine.
    machine.host.run("nft", "delete", "table", "inet", "office")
    wait_until(
        lambda: office.state("laptop") == ("quarantined", "posture"), "a quarantine", NEXT_REPORT_SECONDS
    )
    text = machine.ztna("posture", "status")
    assert "NON-COMPLIANT" in text
    assert "firewall_required" in text
    assert "Firewall everywhere" in text
    assert "yes, until a report is clean" in text

    machine.stop()
    offline = json.loads(machine.ztna("posture", "status", "--json"))
    assert offline["firewall_enabled"] is False
    assert "compliant" not in offline
    assert "ztna up" in machine.ztna("posture", "status")
