"""The readings of Windows: parsers of what PowerShell prints. Tested with samples, never run there."""

import json
import re
from collections.abc import Callable
from typing import Any

from agent.host.program import run
from agent.posture.findings import CHILD_SECONDS, Reading, UnknownReading

_BITLOCKER = "Get-BitLockerVolume -MountPoint $env:SystemDrive | Select-Object ProtectionStatus,VolumeStatus"
_FIREWALL = "Get-NetFirewallProfile | Select-Object Name,Enabled"
_DEFENDER = "Get-MpComputerStatus | Select-Object AMServiceEnabled,RealTimeProtectionEnabled"
_HOTFIX = (
    "Get-HotFix | Where-Object InstalledOn | Sort-Object InstalledOn | Select-Object -Last 1 "
    "@{n='At';e={$_.InstalledOn.ToUniversalTime().ToString('yyyy-MM-ddTHH:mm:ssZ')}}"
)
_VERSION = "Get-CimInstance Win32_OperatingSystem | Select-Object Version"
_LOCK = (
    "Get-ItemProperty 'HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System' "
    "| Select-Object InactivityTimeoutSecs"
)
# Enumerations come as numbers or, from newer modules, as their names.
_ON = (1, True, "On", "True")


def bitlocker(text: str) -> bool:
    """Protection that is on, of a volume that is encrypted in full (VolumeStatus 1, FullyEncrypted)."""
    volume = _rows(text)[0]
    return volume.get("ProtectionStatus") in _ON and volume.get("VolumeStatus") in (1, "FullyEncrypted")


def any_profile(text: str) -> bool:
    """Whether the firewall is on in one of the profiles."""
    return any(row.get("Enabled") in _ON for row in _rows(text))


def defender(text: str) -> bool:
    """Defender's service runs and protects in real time."""
    row = _rows(text)[0]
    return row.get("AMServiceEnabled") is True and row.get("RealTimeProtectionEnabled") is True


def newest_hotfix(text: str) -> str:
    """When the newest hotfix came."""
    at = _rows(text)[0].get("At")
    if not isinstance(at, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", at):
        raise UnknownReading("no hotfix tells when it came")
    return at


def inactivity_seconds(text: str) -> int:
    """The machine's inactivity limit, which holds for everybody; without it each user decides."""
    seconds = _rows(text)[0].get("InactivityTimeoutSecs")
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise UnknownReading("no limit is set for the machine, and users' own are not read")
    return seconds


def release(text: str) -> str:
    """The build number: windows 10.0.19045."""
    return f"windows {_rows(text)[0].get('Version', '')}".strip()[:100]


def _rows(text: str) -> list[dict[str, Any]]:
    """ConvertTo-Json prints one object bare, several as a list, and none as nothing."""
    try:
        found = json.loads(text.strip() or "[]")
    except ValueError:
        raise UnknownReading("PowerShell printed no JSON") from None
    rows = [row for row in (found if isinstance(found, list) else [found]) if isinstance(row, dict)]
    if not rows:
        raise UnknownReading("PowerShell knows nothing of it")
    return rows


def _reading(signal: str, parse: Callable[[str], Any], script: str) -> Reading:
    def read() -> dict[str, Any]:
        command = f"{script} | ConvertTo-Json -Compress"
        argv = ("powershell.exe", "-NoProfile", "-NonInteractive", "-Command", command)
        return {signal: parse(run(*argv, seconds=CHILD_SECONDS))}

    return Reading((signal,), read)


def readings() -> list[Reading]:
    """All that is read there."""
    return [
        _reading("os_version_detail", release, _VERSION),
        _reading("disk_encrypted", bitlocker, _BITLOCKER),
        _reading("firewall_enabled", any_profile, _FIREWALL),
        _reading("antivirus_enabled", defender, _DEFENDER),
        _reading("last_patch_date", newest_hotfix, _HOTFIX),
        _reading("screen_lock_timeout", inactivity_seconds, _LOCK),
    ]
