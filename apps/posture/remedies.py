"""What to do about a violation, in words, for each system."""

from collections.abc import Iterable

_REMEDIES: dict[str, dict[str, str]] = {
    "disk_encryption_required": {
        "linux": "Reinstall on LUKS, or move root and home onto an encrypted volume.",
        "macos": "Turn on FileVault in System Settings, Privacy & Security.",
        "windows": "Turn on BitLocker for the system drive.",
    },
    "firewall_required": {
        "linux": "Run 'sudo ufw enable', or add an nftables input chain whose policy is drop.",
        "macos": "Turn on the firewall in System Settings, Network.",
        "windows": "Turn on Windows Defender Firewall for all profiles.",
    },
    "antivirus_required": {
        "linux": "Install clamav-daemon and clamav-freshclam, and start them.",
        "macos": "Update macOS so that XProtect is current.",
        "windows": "Turn on real-time protection in Windows Security.",
    },
    "patch_age_exceeded": {
        "linux": "Run 'sudo apt update && sudo apt upgrade', or 'sudo dnf upgrade'.",
        "macos": "Install updates in System Settings, General.",
        "windows": "Install updates in Windows Update.",
    },
    "os_not_allowed": {"any": "Ask an administrator to allow this operating system."},
    "os_version_too_old": {"any": "Upgrade the operating system."},
    "screen_lock_required": {
        "linux": "Set a screen lock in the desktop's settings.",
        "macos": "Require a password after the screen saver begins.",
        "windows": "Set a screen timeout and require sign-in on wake.",
    },
    "auto_update_required": {
        "linux": "Install unattended-upgrades, or turn dnf-automatic on.",
        "macos": "Turn on Automatic Updates.",
        "windows": "Resume updates in Windows Update.",
    },
    "agent_version_too_old": {"any": "Update the agent: ztna update."},
    "signal_unknown": {
        "any": "Run 'ztna posture status' on the machine: it tells what can't be read, and why."
    },
}


def remedies_of(codes: Iterable[str], os: str) -> dict[str, str]:
    """Code -> what to do on this system, for the codes of which something is known."""
    found = {}
    for code in codes:
        texts = _REMEDIES.get(code, {})
        if text := texts.get(os) or texts.get("any"):
            found[code] = text
    return found
