"""`ztna acl` against a control plane: rules as a file, a plan as text, a change on trial."""

import json

import httpx
import pytest

from agent.state import Store
from tests.agent.shell import Shell
from tests.e2e.conftest import control_plane  # noqa: F401 the fixture

POLICY = """\
settings: {default_deny: true}
rules:
- {name: web to db, source: alpha, destination: beta, protocol: tcp, ports: 5432}
- {name: pings, source: '*', destination: '*', protocol: icmp}
"""


@pytest.fixture(scope="module")
def shell(control_plane, tmp_path_factory):  # noqa: F811
    return Shell(control_plane, tmp_path_factory.mktemp("acl"), "acl")


def allowed(shell, port):
    asked = ("test", "--src", "alpha", "--dst", "beta", "--port", str(port), "--proto", "tcp", "--json")
    return json.loads(shell.run(*asked))["allowed"]


def test_a_policy_file_is_planned_applied_and_exported(shell):
    path = shell.file(POLICY)
    text = shell.run("plan", path, "--exit-code", status=2)
    assert "+ web to db: allow alpha -> beta tcp/5432" in text
    assert "Flows lost" in text
    assert "No ACL rules" in shell.run("list") or "web to db" not in shell.run("list")
    assert "--yes" in shell.run("apply", path, status=1)
    assert "Applied as policy version" in shell.run("apply", path, "--yes")
    names = [row["name"] for row in json.loads(shell.run("list", "--json"))]
    assert names == ["web to db", "pings"]
    assert allowed(shell, 5432)
    assert not allowed(shell, 5433)
    assert "alpha -> beta tcp/5432" in shell.run("list")
    assert "Nothing to apply" in shell.run("apply", path, "--yes")
    assert "Nothing to apply" in shell.run("apply", shell.file(shell.run("export")), "--yes")


def test_a_change_on_trial_is_rolled_back(shell):
    shell.run("apply", shell.file(POLICY), "--yes")
    path = shell.file(POLICY.replace("5432", "22"))
    applied = json.loads(shell.run("apply", path, "--yes", "--confirm-within", "5m", "--json"))
    assert applied["status"] == "awaiting_confirmation"
    assert allowed(shell, 22)
    shell.run("rollback", applied["plan_id"], status=1)
    shell.run("rollback", applied["plan_id"], "--yes")
    assert not allowed(shell, 22)
    assert allowed(shell, 5432)
    assert "error:" in shell.run("confirm", applied["plan_id"], status=1)


def test_a_denied_flow_is_explained(shell):
    shell.run("apply", shell.file(POLICY), "--yes")
    asked = ("--src", "alpha", "--dst", "beta", "--port", "22", "--proto", "tcp")
    text = shell.run("test", *asked, "--exit-code", status=1)
    assert text.startswith("DENIED: alpha -> beta:22/tcp")
    assert "Closest rule: web to db" in text
    assert "cannot resolve destination 'gamma'" in shell.run("test", *asked, "--dst", "gamma", status=1)


@pytest.mark.parametrize("text", ["rules: [", "rules: [{name: a, source: '*', destination: b, ports: 0}]"])
def test_a_wrong_file_changes_nothing(shell, text):
    before = shell.run("list", "--json")
    assert "error:" in shell.run("plan", shell.file(text), status=1)
    assert "error:" in shell.run("apply", shell.file(text), "--yes", status=1)
    assert shell.run("list", "--json") == before


def test_a_plan_of_groups_and_posture_is_told_by_name(control_plane, shell):  # noqa: F811
    token = Store(shell.directory / "profile").tokens().access_token
    asked = {"org_id": shell.org, "select": "id,name"}
    headers = {"Authorization": f"Bearer {token}"}
    rows = httpx.get(f"{control_plane.url}/api/db/machines", params=asked, headers=headers).json()["data"]
    alpha = next(row["id"] for row in rows if row["name"] == "alpha")
    changes = {
        "acl_rules": {"create": [{"name": "ops", "source": "group:ops", "destination": "*"}]},
        "segmentation_groups": {"create": [{"name": "ops", "members": [alpha]}]},
        "posture_policies": {"create": [{"name": "Firewall", "require_firewall": True}]},
        "settings": {"posture_enforcement": "monitor"},
    }
    body = {"action": "plan", "org_id": shell.org, "changes": changes}
    plan_id = control_plane.post("/api/policy", body, token)["data"]["plan_id"]
    text = shell.run("apply", "--plan", plan_id, status=1)
    for line in (
        "+ ops: allow group:ops -> *",
        "+ group ops: 1 machine joins",
        "+ posture policy Firewall",
        "~ setting posture_enforcement: monitor",
    ):
        assert line in text


@pytest.mark.parametrize("form", ["ALPHA", "full name", "address", "id"])
def test_a_machine_is_named_in_any_way(shell, form):
    (row,) = [row for row in shell.table("machines") if row["name"] == "alpha"]
    named = {
        "full name": row["magicdns_name"],
        "address": row["tailnet_ip"],
        "id": row["id"].upper(),
    }.get(form, form)
    text = shell.run("test", "--src", named, "--dst", "beta", "--port", "22")
    assert "alpha -> beta:22" in text


def test_the_end_that_is_unknown_is_told(shell):
    for named in ("nobody", "alpha.other.zt.net", "al*", "100.64.9.9"):
        text = shell.run("test", "--src", "beta", "--dst", named, "--port", "22", status=1)
        assert f"cannot resolve destination '{named}'" in text
