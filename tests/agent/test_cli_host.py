"""Commands about the host: text, exit codes, and nothing kept that the control plane did not agree to."""

import json

import pytest

from agent.cli.commands.set import command as set_command
from agent.cli.flags import FlagGroup
from agent.state import Config
from tests.agent.test_cli import ztna  # noqa: F401 a fixture
from tests.agent.test_state import MACHINE

NOWHERE = {"ZTNA_API_URL": "http://127.0.0.1:9"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["set"], "no settings changed"),
        (["set", "--advertise-routes", "10.1.2.3/16"], "did you mean 10.1.0.0/16?"),
        (["set", "--advertise-routes", "0.0.0.0/0"], "--advertise-exit-node"),
        (["set", "--bypass", "nonsense"], "is not a network"),
        (["up", "--gateway"], "--gateway needs --advertise-routes"),
        (["up", "--advertise-routes", "10.0.0.1/8"], "did you mean 10.0.0.0/8?"),
        (["dns", "status"], "VPN not running"),
        (["dns", "query", "beta", "--type", "PTR"], "needs the daemon"),
        (["dns", "query", "beta", "--type", "MX"], "--type"),
        (["exit-node", "list"], "VPN not running"),
        (["exit-node", "suggest"], "VPN not running"),
        (["split-tunnel", "list"], "VPN not running"),
        (["route", "list"], "not authenticated"),
        (["route", "approve", "beta"], "not authenticated"),
    ],
)
def test_what_cannot_be_done_is_said_and_fails(ztna, arguments, text):  # noqa: F811
    ztna.store.save(MACHINE)
    result = ztna(*arguments, **NOWHERE)
    assert result.returncode == 1
    assert text in result.stderr
    assert "Traceback" not in result.stderr
    as_json = json.loads(ztna(*arguments, "--json", **NOWHERE).stdout)
    assert text in as_json["error"]["message"]


def test_a_setting_is_not_kept_when_the_control_plane_is_away(ztna):  # noqa: F811
    ztna.store.save(MACHINE)
    result = ztna("set", "--shields-up", "--exit-node", "beta", **NOWHERE)
    assert result.returncode == 1
    assert ztna.store.config() == Config()


def test_a_setting_that_concerns_this_host_alone_needs_nobody(ztna):  # noqa: F811
    ztna.store.save(MACHINE)
    result = ztna("set", "--accept-dns=false", "--bypass", "192.0.2.0/24, 2001:db8::/32", "--json", **NOWHERE)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["changed"]["accept_dns"] is False
    config = ztna.store.config()
    assert (config.accept_dns, config.bypass) == (False, ("192.0.2.0/24", "2001:db8::/32"))
    assert ztna("set", "--bypass", "", **NOWHERE).returncode == 0
    assert ztna.store.config().bypass == ()


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("--shields-up", True),
        ("--shields-up=true", True),
        ("--shields-up=false", False),
        ("--no-shields-up", False),
    ],
)
def test_every_spelling_of_a_flag(spelling, expected):
    group = FlagGroup("ztna", commands={"set": set_command})
    _, command, rest = group.resolve_command(group.make_context("ztna", ["set", spelling]), ["set", spelling])
    assert command.make_context("set", rest).params["shields_up"] is expected


def test_hidden_commands_of_administrators_are_there(ztna):  # noqa: F811
    assert "reject" not in ztna("route", "--help").stdout
    assert "--routes" in ztna("route", "approve", "--help").stdout


def test_relays_are_probed_where_no_daemon_can_be_asked(ztna):  # noqa: F811
    ztna.store.save(MACHINE)
    result = ztna("debug", "derp", "--json", **NOWHERE)
    assert result.returncode == 0, result.stderr
    assert "fresh probe" in result.stderr
    found = json.loads(result.stdout)
    assert (found["connected"], found["peers"], found["home_region"]) == (False, [], None)
    assert ztna("debug", "metrics", **NOWHERE).returncode == 1
