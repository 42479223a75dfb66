"""`ztna access` against a control plane: asked for here, decided by somebody else, ended at once."""

import json
import uuid
from dataclasses import replace

import pytest

from agent.state import Store
from tests.agent.shell import Shell
from tests.agent.test_state import MACHINE
from tests.e2e.conftest import control_plane  # noqa: F401 the fixture


@pytest.fixture(scope="module")
def shell(control_plane, tmp_path_factory):  # noqa: F811
    """On alpha, with a second administrator who decides."""
    found = Shell(control_plane, tmp_path_factory.mktemp("access"), "access")
    Store(found.directory / "profile").save(replace(MACHINE, machine_id=found.machines["alpha"]))
    found.approver = found.join("grace@example.test", "admin")
    return found


def requested(shell, *arguments):
    return json.loads(shell.run("request", "beta", *arguments, "--json"))["grant_id"]


def entry(shell, grant_id):
    (found,) = [row for row in json.loads(shell.run("list", "--json")) if row["id"] == grant_id]
    return found


def decide(shell, action, grant_id, **values):
    shell.call("governance", action, shell.approver, grant_id=grant_id, **values)


def test_a_request_goes_from_this_machine_to_who_may_approve_it(shell):
    text = shell.run("request", "beta", "--ports", "5432", "--for", "2h", "--reason", "restore a backup")
    assert text.startswith("Requested for 2 h: ")
    assert "Told: grace@example.test" in shell.errors
    found = entry(shell, text.split()[-1])
    assert (found["source"], found["destination"], found["ports"]) == ("alpha", "beta", "5432")
    assert (found["status"], found["reason"]) == ("pending", "restore a backup")
    assert found["requested_duration_hours"] == 2
    assert found["source_selector"] == shell.machines["alpha"]
    assert "alpha -> beta tcp/5432" in shell.run("list")
    assert found["id"] in shell.run("list", "--status", "pending")


def waited(shell, action, **values):
    """(exit status, output) of a command that waits while its request is decided."""
    with shell.start("request", "beta", "--ports", "22", "--wait", "--timeout", "60s") as waiting:
        grant_id = waiting.stdout.readline().split()[-1]
        assert waiting.poll() is None
        decide(shell, action, grant_id, **values)
        output, errors = waiting.communicate(timeout=60)
    assert entry(shell, grant_id)["status"] != "pending"
    return waiting.returncode, output + errors


def test_who_waits_hears_the_decision(shell):
    status, text = waited(shell, "jit_approve")
    assert status == 0
    assert "Approved until " in text
    status, text = waited(shell, "jit_deny", denial_reason="use the jump host")
    assert status == 1
    assert "the request was denied: use the jump host" in text


def test_the_list_is_narrowed_by_state(shell):
    grant_id = requested(shell, "--ports", "23")
    decide(shell, "jit_deny", grant_id)
    assert grant_id in shell.run("list", "--status", "denied")
    assert grant_id not in shell.run("list", "--status", "pending")
    assert shell.run("list", "--status", "expired") == "No request is expired.\n"


def test_a_wait_that_is_over_says_so_by_its_exit_status(shell):
    text = shell.run("request", "beta", "--ports", "24", "--wait", "--timeout", "0s", status=3)
    assert "not decided yet" in text


def test_a_grant_is_ended_at_once(shell):
    grant_id = requested(shell, "--ports", "25")
    assert "pending" in shell.run("revoke", grant_id, status=1)
    decide(shell, "jit_approve", grant_id)
    assert entry(shell, grant_id)["status"] == "approved"
    assert shell.run("revoke", grant_id) == "Revoked.\n"
    assert entry(shell, grant_id)["status"] == "revoked"
    assert "No such grant" in shell.run("revoke", str(uuid.uuid4()), status=1)


def test_another_source_may_be_named(shell):
    grant_id = requested(shell, "--source", "tag:ci", "--proto", "udp", "--ports", "53")
    assert (entry(shell, grant_id)["source"], entry(shell, grant_id)["protocol"]) == ("tag:ci", "udp")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("beta", "--for", "30m"), "--for"),
        (("beta", "--for", "25h"), "--for"),
        (("beta", "--for", "soon"), "--for"),
        (("beta", "--ports", "0"), "ports"),
        (("beta", "--proto", "icmp", "--ports", "1"), "icmp"),
        (("gamma",), "gamma"),
        ((), "DESTINATION"),
    ],
)
def test_what_is_wrong_is_named(shell, arguments, text):
    assert text in shell.run("request", *arguments, status=1)


def test_a_machine_that_is_not_enrolled_has_no_source(shell, tmp_path):
    state = shell.directory / "profile" / "state.json"
    state.rename(tmp_path / "state.json")
    try:
        assert "ztna up" in shell.run("request", "beta", status=1)
        assert requested(shell, "--source", "alpha", "--ports", "26")
    finally:
        (tmp_path / "state.json").rename(state)
