"""The readings of a Linux host."""

import platform
from typing import Any

from agent.posture.antivirus import antivirus
from agent.posture.disk import disk_encrypted
from agent.posture.findings import Reading
from agent.posture.firewall import firewall
from agent.posture.screenlock import screen_lock
from agent.posture.updates import Updates


def release() -> dict[str, Any]:
    """os_version_detail: ID and VERSION_ID of os-release(5), such as `debian 12`."""
    fields = platform.freedesktop_os_release()
    return {"os_version_detail": f"{fields['ID']} {fields.get('VERSION_ID', '')}".strip()[:100]}


def readings() -> list[Reading]:
    """All that is read here; updates remember what they found."""
    updates = Updates()
    return [
        Reading(("os_version_detail",), release),
        Reading(("disk_encrypted",), lambda: {"disk_encrypted": disk_encrypted()}),
        Reading(("firewall_enabled", "firewall_audit"), firewall),
        Reading(("antivirus_enabled", "antivirus_name"), antivirus),
        Reading(("screen_lock_timeout",), screen_lock),
        Reading(("last_patch_date", "auto_update", "reboot_pending"), updates.state),
        Reading(("pending_security_updates",), updates.pending),
    ]
