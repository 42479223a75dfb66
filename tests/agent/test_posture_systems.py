"""Readings of macOS and Windows, from samples of what their programs print. Never run on either."""

import json

import pytest

from agent.posture import macos, windows
from agent.posture.findings import UnknownReading


@pytest.mark.parametrize(
    ("text", "encrypted"),
    [
        ("FileVault is On.\n", True),
        ("FileVault is Off.\n", False),
        ("FileVault is On.\nEncryption in progress: Percent completed = 40\n", False),
        ("FileVault is Off.\nDecryption in progress: Percent completed = 40\n", False),
    ],
)
def test_filevault(text, encrypted):
    assert macos.filevault(text) is encrypted


def test_the_firewall_of_macos():
    assert macos.application_firewall("Firewall is enabled. (State = 1)\n")
    assert macos.application_firewall("Firewall is blocking all non-essential connections. (State = 2)\n")
    assert not macos.application_firewall("Firewall is disabled. (State = 0)\n")


def test_the_screen_lock_of_macos():
    prefix = "2026-11-20 10:11:12.000 sysadminctl[1:2] "
    assert macos.lock_seconds(f"{prefix}screenLock delay is 300 seconds\n") == 300
    assert macos.lock_seconds(f"{prefix}screenLock delay is immediate\n") == 1
    assert macos.lock_seconds(f"{prefix}screenLock is off\n") == 0


def test_updates_of_macos():
    assert macos.flag("1\n") is True
    assert macos.flag("0\n") is False
    assert macos.last_installation("2026-11-20 10:11:12 +0000\n") == "2026-11-20T10:11:12Z"
    assert macos.release("14.1\n") == {"os_version_detail": "macos 14.1"}


@pytest.mark.parametrize(
    "parse",
    [macos.filevault, macos.application_firewall, macos.lock_seconds, macos.flag, macos.last_installation],
)
@pytest.mark.parametrize("text", ["", "Operation not permitted\n", "\U0001f34e"])
def test_what_macos_does_not_say_is_unknown(parse, text):
    with pytest.raises(UnknownReading):
        parse(text)


@pytest.mark.parametrize(
    ("volume", "encrypted"),
    [
        ({"ProtectionStatus": 1, "VolumeStatus": 1}, True),
        ({"ProtectionStatus": "On", "VolumeStatus": "FullyEncrypted"}, True),
        ({"ProtectionStatus": 0, "VolumeStatus": 1}, False),
        ({"ProtectionStatus": 1, "VolumeStatus": 2}, False),
        ({"ProtectionStatus": 0, "VolumeStatus": 0}, False),
    ],
)
def test_bitlocker(volume, encrypted):
    assert windows.bitlocker(json.dumps(volume)) is encrypted


def test_one_profile_of_the_windows_firewall_suffices():
    profiles = [{"Name": name, "Enabled": 0} for name in ("Domain", "Private", "Public")]
    assert windows.any_profile(json.dumps(profiles)) is False
    profiles[2]["Enabled"] = 1
    assert windows.any_profile(json.dumps(profiles)) is True


def test_defender_has_to_run_and_to_protect():
    assert windows.defender('{"AMServiceEnabled":true,"RealTimeProtectionEnabled":true}')
    assert not windows.defender('{"AMServiceEnabled":true,"RealTimeProtectionEnabled":false}')
    assert not windows.defender('{"AMServiceEnabled":false,"RealTimeProtectionEnabled":true}')


def test_the_rest_of_windows():
    assert windows.newest_hotfix('{"At":"2026-11-12T00:00:00Z"}') == "2026-11-12T00:00:00Z"
    assert windows.inactivity_seconds('{"InactivityTimeoutSecs":900}') == 900
    assert windows.inactivity_seconds('{"InactivityTimeoutSecs":0}') == 0
    assert windows.release('{"Version":"10.0.19045"}') == "windows 10.0.19045"


@pytest.mark.parametrize(
    "parse",
    [windows.bitlocker, windows.any_profile, windows.defender, windows.newest_hotfix],
)
@pytest.mark.parametrize("text", ["", "Access denied", "[]", "null", "3"])
def test_what_windows_does_not_say_is_unknown(parse, text):
    with pytest.raises(UnknownReading):
        parse(text)


def test_a_limit_that_is_not_set_is_unknown():
    with pytest.raises(UnknownReading):
        windows.inactivity_seconds('{"InactivityTimeoutSecs":null}')
