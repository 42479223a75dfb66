"""Telling the host to ask our resolver: systemd-resolved, resolvconf, or /etc/resolv.conf itself."""

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.engine.zone import RESOLVER
from agent.host.program import run
from agent.host.undo import RESOLV_CONF_MARK
from agent.io.journal import Journal

RESOLV_CONF = Path("/etc/resolv.conf")
MAX_SEARCH = 6  # resolv.conf(5) of older C libraries


@dataclass(frozen=True, slots=True)
class Wanted:
    """search: domains for short names, the tailnet's first. everything: other names come to us as well."""

    interface: str
    search: tuple[str, ...]
    routed: tuple[str, ...]
    everything: bool


class NameService(Protocol):
    """One way. Errors are OSError; undo is on record before anything is changed."""

    name: str

    def install(self, wanted: Wanted) -> None:
        """Make our resolver the host's."""

    def remove(self) -> None:
        """Give the host its own back."""

    def intact(self) -> bool:
        """Whether nobody changed it behind our back."""

    def servers(self) -> Sequence[str]:
        """The resolvers that the host had before us."""


class Resolved:
    """systemd-resolved over D-Bus, by its own client. It splits by domain, so the rest can stay with it."""

    name = "systemd-resolved"

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._wanted: Wanted | None = None

    @classmethod
    def available(cls) -> bool:
        """Whether the host's names go through it and it answers on the bus."""
        if shutil.which("resolvectl") is None or "127.0.0.53" not in _nameservers(_read()):
            return False
        with contextlib.suppress(OSError):
            run("resolvectl", "status", "--no-pager")
            return True
        return False

    def install(self, wanted: Wanted) -> None:
        """Our resolver for the link of the tunnel; `~` marks domains that are routed, not searched."""
        self._journal.record("resolved", interface=wanted.interface)
        routed = [f"~{domain}" for domain in wanted.routed if domain not in wanted.search]
        domains = [*wanted.search, *routed, *(["~."] if wanted.everything else [])]
        run("resolvectl", "dns", wanted.interface, RESOLVER)
        run("resolvectl", "domain", wanted.interface, *domains)
        run("resolvectl", "default-route", wanted.interface, "yes" if wanted.everything else "no")
        # It would try DNSSEC and TLS upgrades on a server that speaks for private names.
        run("resolvectl", "dnssec", wanted.interface, "no")
        run("resolvectl", "dnsovertls", wanted.interface, "no")
        run("resolvectl", "flush-caches")
        self._wanted = wanted

    def remove(self) -> None:
        """Revert the link."""
        if self._wanted:
            self._journal.retract("resolved", interface=self._wanted.interface)
            self._wanted = None

    def intact(self) -> bool:
        """Whether the link still has our server: a restart of the service may have lost it."""
        return self._wanted is None or RESOLVER in run("resolvectl", "dns", self._wanted.interface)

    def servers(self) -> Sequence[str]:
        """It keeps them itself."""
        return ()


class Resolvconf:
    """openresolv, or the program of Debian's resolvconf package."""

    name = "resolvconf"

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._label: str | None = None
        self._before = _nameservers(_read())

    @classmethod
    def available(cls) -> bool:
        """Whether resolv.conf is made by it."""
        return shutil.which("resolvconf") is not None and "resolvconf" in _read().casefold()

    def install(self, wanted: Wanted) -> None:
        """Our resolver alone, above every other source."""
        self._label = wanted.interface
        self._journal.record("resolvconf", interface=self._label)
        text = f"nameserver {RESOLVER}\nsearch {' '.join(wanted.search[:MAX_SEARCH])}\n"
        exclusive = ("-m", "0", "-x") if "openresolv" in _version() else ()
        run("resolvconf", *exclusive, "-a", self._label, stdin=text)

    def remove(self) -> None:
        """Withdraw it; the program writes the rest anew."""
        if self._label:
            self._journal.retract("resolvconf", interface=self._label)
            self._label = None

    def intact(self) -> bool:
        """Whether resolv.conf names us."""
        return self._label is None or RESOLVER in _nameservers(_read())

    def servers(self) -> Sequence[str]:
        """As resolv.conf had them."""
        return self._before


class ResolvConfFile:
    """The file itself. A copy of it is in the journal."""

    name = "file"

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._text: str | None = None
        self._before: list[str] = []

    def install(self, wanted: Wanted) -> None:
        """Write it in place: it may be a bind mount, or a link into another program's directory."""
        content = _read() if RESOLV_CONF.exists() else None
        if content is None or not content.startswith(RESOLV_CONF_MARK):
            # New, or rewritten by a DHCP client: that is what the host wants back.
            former = self._journal.find("resolv_conf", path=str(RESOLV_CONF))
            if former is None or former["content"] != content:
                self._journal.forget("resolv_conf", path=str(RESOLV_CONF))
                self._journal.record("resolv_conf", path=str(RESOLV_CONF), content=content)
            self._before = _nameservers(content or "")
            self._kept = [line for line in (content or "").splitlines() if line.startswith("options ")]
            self._searched = _searched(content or "")
        search = list(dict.fromkeys([*wanted.search, *self._searched]))[:MAX_SEARCH]
        lines = [RESOLV_CONF_MARK, f"nameserver {RESOLVER}", f"search {' '.join(search)}", *self._kept]
        self._text = "\n".join(lines) + "\n"
        RESOLV_CONF.write_text(self._text)

    def remove(self) -> None:
        """Write the former content back."""
        self._journal.retract("resolv_conf", path=str(RESOLV_CONF))
        self._text = None

    def intact(self) -> bool:
        """Whether the file is as we wrote it."""
        return self._text is None or _read() == self._text

    def servers(self) -> Sequence[str]:
        """As the file had them."""
        return self._before


def pick(journal: Journal) -> NameService:
    """The way that fits this host."""
    if Resolved.available():
        return Resolved(journal)
    if Resolvconf.available():
        return Resolvconf(journal)
    return ResolvConfFile(journal)


def _read() -> str:
    with contextlib.suppress(OSError):
        return RESOLV_CONF.read_text(errors="replace")
    return ""


def _nameservers(text: str) -> list[str]:
    lines = (line.split() for line in text.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


def _searched(text: str) -> list[str]:
    found: list[str] = []
    for words in (line.split() for line in text.splitlines()):
        if words and words[0] in ("search", "domain"):
            found = words[1:]  # the last line counts
    return found


def _version() -> str:
    with contextlib.suppress(OSError):
        return run("resolvconf", "--version")
    return ""
