"""The readings of macOS: parsers of what its programs print. Tested with written samples, never run there."""

import re
from typing import Any

from agent.host.program import run
from agent.posture.findings import CHILD_SECONDS, Reading, UnknownReading

_FIREWALL = "/usr/libexec/ApplicationFirewall/socketfilterfw"
_UPDATES = "/Library/Preferences/com.apple.SoftwareUpdate"


def filevault(text: str) -> bool:
    """`fdesetup status`: FileVault is On. / Off. While it still encrypts, the disk is not encrypted."""
    if "Encryption in progress" in text or "Decryption in progress" in text:
        return False
    return _one_of(text, "FileVault is On", "FileVault is Off")


def application_firewall(text: str) -> bool:
    """`socketfilterfw --getglobalstate`: Firewall is enabled. (State = 1), where 2 blocks everything."""
    match = re.search(r"State = (\d)", text)
    if match is None:
        raise UnknownReading("the application firewall does not tell its state")
    return match[1] != "0"


def lock_seconds(text: str) -> int:
    """`sysadminctl -screenLock status`: screenLock delay is immediate / 300 seconds, or screenLock is off."""
    if "screenLock is off" in text:
        return 0
    if "immediate" in text:
        # 0 stands for a screen that never locks.
        return 1
    match = re.search(r"delay is (\d+)", text)
    if match is None:
        raise UnknownReading("the screen lock does not tell its delay")
    return max(1, int(match[1]))


def flag(text: str) -> bool:
    """`defaults read` of a boolean: 1 or 0."""
    value = text.strip()
    if value not in ("0", "1"):
        raise UnknownReading("the preference is not set")
    return value == "1"


def last_installation(text: str) -> str:
    """`defaults read ... LastFullSuccessfulDate`: 2026-11-20 10:11:12 +0000."""
    match = re.match(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) \+0000", text.strip())
    if match is None:
        raise UnknownReading("no update is known")
    return f"{match[1]}T{match[2]}Z"


def release(text: str) -> dict[str, Any]:
    """`sw_vers -productVersion`: 14.1."""
    return {"os_version_detail": f"macos {text.strip()}"[:100]}


def _one_of(text: str, yes: str, no: str) -> bool:
    if yes in text:
        return True
    if no in text:
        return False
    raise UnknownReading(f"neither {yes!r} nor {no!r} was printed")


def _run(*argv: str) -> str:
    return run(*argv, seconds=CHILD_SECONDS)


def _preferences() -> dict[str, Any]:
    return {
        "auto_update": flag(_run("defaults", "read", _UPDATES, "AutomaticallyInstallMacOSUpdates")),
        "last_patch_date": last_installation(_run("defaults", "read", _UPDATES, "LastFullSuccessfulDate")),
    }


def readings() -> list[Reading]:
    """All that is read there; XProtect is part of the system and always on."""
    return [
        Reading(("os_version_detail",), lambda: release(_run("sw_vers", "-productVersion"))),
        Reading(("disk_encrypted",), lambda: {"disk_encrypted": filevault(_run("fdesetup", "status"))}),
        Reading(
            ("firewall_enabled",),
            lambda: {"firewall_enabled": application_firewall(_run(_FIREWALL, "--getglobalstate"))},
        ),
        Reading(
            ("antivirus_enabled", "antivirus_name"),
            lambda: {"antivirus_enabled": True, "antivirus_name": "XProtect"},
        ),
        Reading(
            ("screen_lock_timeout",),
            lambda: {"screen_lock_timeout": lock_seconds(_run("sysadminctl", "-screenLock", "status"))},
        ),
        Reading(("auto_update", "last_patch_date"), _preferences),
    ]
