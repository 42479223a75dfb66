"""Updates on Linux: what is pending, when something was last installed, whether it happens by itself."""

import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.host.program import run
from agent.posture.findings import CHILD_SECONDS, UnknownReading

_APT_INSTALL = re.compile(r"^Inst \S+ .*\(.*(?:[Ss]ecurity)", re.MULTILINE)
_DPKG = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:install|upgrade) ")
_DNF = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[+-]\d{4}|Z)) \S+ (?:Installed|Upgraded?|Upgrade): ")
_PERIODIC = "APT::Periodic::Unattended-Upgrade"
_TIMERS = ("dnf-automatic-install.timer", "dnf5-automatic.timer", "dnf-automatic.timer")
LOG_TAIL_BYTES = 1 << 20
_CHANGED = ("var/lib/apt/lists", "var/lib/dpkg/status", "var/lib/rpm", "var/cache/dnf", "var/cache/libdnf5")


class Updates:
    """Reads the package manager. Asking it for pending updates is dear: only after something changed."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._pending: int | OSError = OSError("not asked yet")
        self._asked: object = None

    def state(self) -> dict[str, Any]:
        """last_patch_date, auto_update, reboot_pending; UnknownReading without apt and dnf."""
        apt = self._apt()
        return {
            "last_patch_date": self._last(),
            "auto_update": apt_automatic() if apt else dnf_automatic(),
            "reboot_pending": (self._root / "var/run/reboot-required").exists() if apt else None,
        }

    def pending(self) -> dict[str, Any]:
        """pending_security_updates, as of the last refresh of the package lists."""
        apt = self._apt()
        marks = [self._root / name for name in _CHANGED]
        state = tuple(mark.stat().st_mtime_ns if mark.exists() else 0 for mark in marks)
        if self._asked != state:
            self._asked = state
            try:
                self._pending = apt_pending() if apt else dnf_pending()
            except OSError as error:
                # A host too slow to answer must not be asked the same again every minute.
                self._pending = error
        if isinstance(self._pending, OSError):
            raise self._pending
        return {"pending_security_updates": self._pending}

    def _apt(self) -> bool:
        if shutil.which("apt-get"):
            return True
        if shutil.which("dnf"):
            return False
        raise UnknownReading("neither apt nor dnf is installed")

    def _last(self) -> str | None:
        logs = self._root / "var/log"
        for name, parse in (("dpkg.log", dpkg_time), ("dpkg.log.1", dpkg_time), ("dnf.rpm.log", dnf_time)):
            found = newest(_tail(logs / name), parse)
            if found is not None:
                return found.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return None


def newest(lines: Iterable[str], parse: Callable[[str], datetime | None]) -> datetime | None:
    """The latest moment that lines tell of."""
    moments = [moment for moment in map(parse, lines) if moment is not None]
    return max(moments, default=None)


def dpkg_time(line: str) -> datetime | None:
    """When a line of dpkg.log installed or upgraded something; its times are local."""
    match = _DPKG.match(line)
    return datetime.fromisoformat(match[1]).astimezone() if match else None


def dnf_time(line: str) -> datetime | None:
    """The same of dnf.rpm.log."""
    match = _DNF.match(line)
    return datetime.fromisoformat(match[1]) if match else None


def apt_pending() -> int:
    """Packages that a simulated upgrade would take from a security archive."""
    return count_apt(
        run("apt-get", "-s", "-q", "-o", "Debug::NoLocking=true", "upgrade", seconds=CHILD_SECONDS)
    )


def count_apt(text: str) -> int:
    """`Inst name [old] (new Debian-Security:12/stable-security [amd64])` lines of apt-get -s."""
    return len(_APT_INSTALL.findall(text))


def dnf_pending() -> int:
    """Packages with a security advisory, by dnf's cache alone."""
    text = run("dnf", "-q", "-C", "updateinfo", "list", "--security", seconds=CHILD_SECONDS)
    return len({line.split()[-1] for line in text.splitlines() if len(line.split()) >= 3})


def apt_automatic() -> bool:
    """Whether unattended-upgrades is there and told to run."""
    if not shutil.which("unattended-upgrade"):
        return False
    text = run("apt-config", "dump", _PERIODIC, seconds=CHILD_SECONDS)
    match = re.search(r'"(.*)"', text)
    return match is not None and match[1] not in ("", "0")


def dnf_automatic() -> bool:
    """Whether a timer that installs updates is enabled."""
    states = run(
        *("systemctl", "show", "--property=UnitFileState", "--value", *_TIMERS), seconds=CHILD_SECONDS
    )
    return "enabled" in states.split()


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            return log.read(LOG_TAIL_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return []
