"""`ztna machines list`: who lacks what, and until when."""

import json
from dataclasses import replace

import pytest

from agent.state import Store, Tokens
from tests.agent.shell import Shell
from tests.agent.test_state import MACHINE
from tests.e2e.conftest import control_plane  # noqa: F401 the fixture


@pytest.fixture(scope="module")
def shell(control_plane, tmp_path_factory):  # noqa: F811
    return Shell(control_plane, tmp_path_factory.mktemp("machines"), "machines")


def test_those_that_fail_are_listed_with_what_they_lack(shell):
    listed = json.loads(shell.run("list", "--json"))
    assert [row["name"] for row in listed] == ["alpha", "beta"]
    assert "No machine matches." in shell.run("list", "--filter", "posture=non_compliant")
    shell.call("org-management", "update_org_settings", posture_enforcement="monitor")
    shell.insert("posture_policies", name="Basic", require_firewall=True, require_disk_encryption=True)
    posture = {"firewall_enabled": False, "disk_encrypted": True}
    shell.post("/api/posture-report", {"node_key": shell.node_keys["alpha"], **posture})
    header, row = shell.run("list", "--filter", "posture=non_compliant").splitlines()
    assert header.split() == ["NAME", "TAILNET", "IP", "VIOLATIONS", "GRACE"]
    assert row.split()[0] == "alpha"
    assert "firewall_required" in row
    assert "disk_encryption_required" not in row


def test_who_is_signed_out_is_told_how_to_come_back(shell):
    store = Store(shell.directory / "profile")
    tokens = store.tokens()
    store.remove("tokens.json")
    try:
        text = shell.run("list", status=1)
    finally:
        store.save(Tokens(tokens.access_token))
    assert "ztna login" in text
    assert "ztna up" in text


def test_a_verdict_is_an_exit_code_for_those_who_ask(control_plane, tmp_path):  # noqa: F811
    shell = Shell(control_plane, tmp_path, "posture")
    store = Store(tmp_path / "profile")
    store.save(replace(MACHINE, machine_id=shell.machines["alpha"], node_key=shell.node_keys["alpha"]))
    shell.call("org-management", "update_org_settings", posture_enforcement="monitor")
    assert "COMPLIANT" in shell.run("status", "--report", "--exit-code")
    shell.insert("posture_policies", name="New", agent_version_min="999.0.0")
    assert "NON-COMPLIANT" in shell.run("status", "--report")
    assert "NON-COMPLIANT" in shell.run("status", "--report", "--exit-code", status=1)
