"""`ztna auth-keys` and `ztna update` against a control plane."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from agent import __version__
from agent.cli.commands.auth_keys import _end
from agent.cli.commands.update import _print
from agent.state import Store, Tokens
from tests.agent.shell import Shell
from tests.e2e.conftest import control_plane  # noqa: F401 the fixture


@pytest.fixture(scope="module")
def shell(control_plane, tmp_path_factory):  # noqa: F811
    return Shell(control_plane, tmp_path_factory.mktemp("keys"), "auth-keys")


def test_a_key_is_made_shown_once_used_and_revoked(shell):
    made = shell.run(
        "create", "--name", "ci", "--reusable", "--expiry", "48h", "--tags", "tag:ci"
    ).splitlines()
    assert made[0].startswith("tskey-auth-")
    assert "cannot be shown again" in shell.errors
    listed = shell.run("list")
    assert made[0] not in listed
    assert "tag:ci" in listed
    (row,) = [row for row in json.loads(shell.run("list", "--json")) if row["name"] == "ci"]
    assert set(row) == {
        *("id", "name", "key_prefix", "reusable", "ephemeral", "used_count"),
        *("tags", "expires_at", "revoked", "created_at"),
    }
    assert (row["reusable"], row["tags"], row["used_count"]) == (True, ["ci"], 0)
    assert "Machines quarantined: 0" in shell.run("revoke", row["key_prefix"])
    assert "revoked" in shell.run("list")


def test_keeping_the_machines_is_a_choice(shell):
    (first,) = [row for row in json.loads(shell.run("list", "--json")) if row["used_count"] == 2]
    answer = json.loads(shell.run("revoke", first["id"], "--keep-machines", "--json"))
    assert answer["machines_quarantined"] == 0
    assert {row["status"] for row in shell.table("machines")} == {"online"}


def test_what_cannot_be_done_is_told(shell):
    assert "no auth key 'zz'" in shell.run("revoke", "zz", status=1)
    assert "between 300 and 2592000" in shell.run("create", "--expiry", "1m", status=1)
    store = Store(shell.directory / "profile")
    store.save(Tokens(shell.join("grace@example.test", "member")))
    try:
        assert "(your role: member)" in shell.run("create", status=1)
        assert "(your role: member)" in shell.run("list", status=1)
    finally:
        store.save(Tokens(shell.token))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "in 10 d"),
        ({"revoked": True}, "revoked"),
        ({"expired": True}, "expired"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expired"),
        ({"used_count": 1}, "used"),
        ({"used_count": 1, "reusable": True}, "in 10 d"),
    ],
)
def test_the_end_of_a_key_in_words(values, text):
    later = (datetime.now(UTC) + timedelta(days=10)).isoformat()
    row = {"revoked": False, "expired": False, "used_count": 0, "reusable": False, "expires_at": later}
    assert _end(row | values) == text


def test_a_version_that_is_the_latest_is_up_to_date(control_plane, tmp_path):  # noqa: F811
    shell = Shell(control_plane, tmp_path, "update")
    text = shell.run("--check")
    assert f"Current version: {__version__}" in text
    assert "You are up to date." in text
    answer = json.loads(shell.run("--check", "--json"))
    assert answer["update_available"] is False
    assert {"latest_version", "download_url", "checksum_sha256", "release_notes"} < set(answer)


def test_a_newer_version_is_shown_with_its_notes_and_place(capsys):
    _print(
        {
            "current_version": "1.9.0",
            "latest_version": "1.10.0",
            "update_available": True,
            "release_notes": "Faster\x1b[31m",
            "download_url": "https://releases.example/ztna",
        }
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "Current version: 1.9.0",
        "Latest version:  1.10.0",
        "  Faster?[31m",
        "https://releases.example/ztna",
    ]
