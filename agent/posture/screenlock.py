"""After how long the screens of those who are signed in lock; GNOME and KDE."""

import configparser
import os
import pwd
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.host.program import run
from agent.posture.findings import CHILD_SECONDS, UnknownReading

NEVER = 0
_SETTINGS_BYTES = 64 * 1024
_GNOME = ("GNOME", "UBUNTU", "UNITY", "BUDGIE", "CINNAMON")
_KDE_MINUTES = 5  # kscreenlocker's own default

# (schema, key) -> value as gsettings prints it
Ask = Callable[[str, str], str]


def screen_lock() -> dict[str, Any]:
    """screen_lock_timeout in seconds, the longest of all screens, 0 for one that never locks."""
    found = [_of_session(session) for session in _graphical()]
    if not found:
        raise UnknownReading("nobody is signed in at a screen")
    return {"screen_lock_timeout": NEVER if NEVER in found else max(found)}


def parse_session(text: str) -> dict[str, str]:
    """`loginctl show-session` lines."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def gnome_seconds(ask: Ask) -> int:
    """Idle time plus the delay of the lock (org.gnome.desktop.screensaver, .session)."""
    if ask("org.gnome.desktop.screensaver", "lock-enabled") != "true":
        return NEVER
    idle = _number(ask("org.gnome.desktop.session", "idle-delay"))
    return idle + _number(ask("org.gnome.desktop.screensaver", "lock-delay")) if idle else NEVER


def kde_seconds(text: str) -> int:
    """[Daemon] Autolock, Timeout (minutes), LockGrace (seconds) of kscreenlockerrc."""
    settings = configparser.ConfigParser(strict=False, interpolation=None)
    settings.read_string(text)
    if not settings.has_section("Daemon"):
        return _KDE_MINUTES * 60
    daemon = settings["Daemon"]
    if not daemon.getboolean("Autolock", fallback=True):
        return NEVER
    return daemon.getint("Timeout", fallback=_KDE_MINUTES) * 60 + daemon.getint("LockGrace", fallback=0)


def _graphical() -> list[dict[str, str]]:
    listed = run("loginctl", "list-sessions", "--no-legend", seconds=CHILD_SECONDS)
    names = [line.split()[0] for line in listed.splitlines() if line.split()]
    shown = [run("loginctl", "show-session", name, seconds=CHILD_SECONDS) for name in names]
    sessions = map(parse_session, shown)
    return [one for one in sessions if one.get("Type") in ("x11", "wayland") and one.get("Class") == "user"]


def _of_session(session: dict[str, str]) -> int:
    user = pwd.getpwnam(session["Name"])
    desktop = session.get("Desktop", "").upper()
    if "KDE" in desktop or "PLASMA" in desktop:
        return kde_seconds(_read(Path(user.pw_dir) / ".config/kscreenlockerrc"))
    if not any(name in desktop for name in _GNOME):
        raise UnknownReading(f"desktop {desktop[:30] or 'of no name'} is not known")

    def ask(schema: str, key: str) -> str:
        bus = f"DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{user.pw_uid}/bus"
        command = ("env", bus, "gsettings", "get", schema, key)
        other = ("runuser", "-u", user.pw_name, "--") if os.geteuid() != user.pw_uid else ()
        return run(*other, *command, seconds=CHILD_SECONDS).strip()

    return gnome_seconds(ask)


def _read(path: Path) -> str:
    """A user's own file, read with care: it may be a pipe, or lead elsewhere."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    with open(handle, "rb") as settings:
        return settings.read(_SETTINGS_BYTES).decode(errors="replace")


def _number(text: str) -> int:
    """`uint32 300`."""
    match = re.search(r"\d+$", text)
    if match is None:
        raise UnknownReading("the desktop does not say when it locks")
    return int(match[0])
