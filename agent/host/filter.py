"""The packet filter in the kernel: written through nft, and written again when somebody removes it."""

import asyncio
import contextlib
import json
import logging
import socket
from dataclasses import dataclass
from functools import cached_property

from agent.engine.filter import FilterSettings, Ruleset, compile_filter
from agent.host import netlink
from agent.host.program import run
from agent.io.journal import Journal
from wire.netmap import Netmap

logger = logging.getLogger("agent.filter")

# linux/netfilter/nfnetlink.h and nf_tables.h
_GROUP_NFTABLES = 7
_SUBSYSTEM_NFTABLES = 10
_NEWGEN = 15
_TABLE_ATTRIBUTE = 1
_BUFFER_BYTES = 4 << 20
# Another program that keeps removing the table must not make a busy loop of the two.
RESTORE_PAUSE_SECONDS = 0.2
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RuleCounter:
    """One counted rule. rule is its id at the control plane, or its place in the chain (#0)."""

    chain: str
    rule: str | None
    action: str
    packets: int
    bytes: int


class PacketFilter:
    """One table. Errors of nft are OSError, and what was in force stays in force."""

    def __init__(self, journal: Journal, interface: str) -> None:
        self._journal = journal
        self._name = f"quickztna_{interface.replace('-', '_')}"
        self.table: str | None = None
        self._current: Ruleset | None = None
        self._suspect = False

    @cached_property
    def _notices(self) -> socket.socket:
        """Made when it is first needed: it takes a privilege, and not every host is filtered."""
        # A filter of a thousand peers is announced element by element.
        return netlink.open_netfilter(1 << (_GROUP_NFTABLES - 1), _BUFFER_BYTES)

    def apply(self, netmap: Netmap, settings: FilterSettings) -> None:
        """Put the map's filter in force: element by element if only peers moved, else as a whole."""
        wanted = compile_filter(netmap, settings)
        _ = self._notices  # from the first write on
        changes = None if self._current is None else wanted.changes(self._current, self.table or "")
        if changes is not None and not self._disturbed():
            if not changes:
                return
            with contextlib.suppress(OSError):
                self._write(changes)
                self._current = wanted
                return
        self._write(wanted.full(self._own_table()))
        self._current = wanted

    async def watch(self) -> None:
        """Restore the table whenever another program changes or removes it."""
        loop, heard = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._notices, heard.set)
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(heard.wait(), POLL_SECONDS)
                heard.clear()
                if self._disturbed():
                    logger.warning("another program changed the packet filter; it is restored")
                    self.restore()
                await asyncio.sleep(RESTORE_PAUSE_SECONDS)
        finally:
            loop.remove_reader(self._notices)

    def restore(self) -> None:
        """Write the whole table again."""
        if self._current is None:
            return
        try:
            self._write(self._current.full(self._own_table()))
        except OSError as error:
            logger.error("the packet filter could not be restored: %s", error)

    def forget(self) -> None:
        """The table was undone with everything else; the next apply writes the whole."""
        self._current = self.table = None

    def counters(self) -> list[RuleCounter]:
        """What every rule matched since the table was written as a whole."""
        if self.table is None:
            return []
        listing = json.loads(run("nft", "-j", "-t", "list", "table", "inet", self.table))
        found = []
        for entry in listing["nftables"]:
            rule = entry.get("rule")
            if rule is None:
                continue
            parts = {key: value for part in rule["expr"] for key, value in part.items()}
            if "counter" in parts:
                action = "accept" if {"accept", "goto"} & parts.keys() else "drop"
                counter = parts["counter"]
                comment = rule.get("comment")
                found.append(
                    RuleCounter(rule["chain"], comment, action, counter["packets"], counter["bytes"])
                )
        return found

    def close(self) -> None:
        """Stop listening; the journal removes the table."""
        if "_notices" in self.__dict__:
            self._notices.close()

    def _own_table(self) -> str:
        """Our table, on record before it is made; a table of that name that is not ours is left alone."""
        if self.table is None:
            name, number = self._name, 2
            while self._journal.find("table", name=name) is None and _exists(name):
                name, number = f"{self._name}_{number}", number + 1
            self._journal.record("table", name=name)
            self.table = name
        return self.table

    def _write(self, text: str) -> None:
        """One transaction of ours; notices of more than one are somebody else's as well."""
        self._suspect |= self._heard().touched(self.table)
        run("nft", "-f", "-", stdin=text)
        self._suspect |= self._heard(names=False).transactions > 1

    def _disturbed(self) -> bool:
        """Whether others touched our table since we last looked."""
        disturbed = self._heard().touched(self.table) or self._suspect
        self._suspect = False
        return disturbed and self._current is not None

    def _heard(self, *, names: bool = True) -> "_Notices":
        """Read what the kernel said since the last time; without names when only their number counts."""
        notices = _Notices(names=names)
        while True:
            try:
                notices.add(self._notices.recv(65536))
            except BlockingIOError:
                return notices
            except OSError:
                # ENOBUFS: too many to hold. What was lost may have been ours alone, or not.
                self._suspect = True


class _Notices:
    """Transactions, and the tables that they touched."""

    def __init__(self, *, names: bool) -> None:
        self.transactions, self.tables, self._names = 0, set[str](), names

    def touched(self, table: str | None) -> bool:
        """Whether this table was touched."""
        return table in self.tables

    def add(self, datagram: bytes) -> None:
        """Take in a datagram. The first attribute of every notice names the table (NFTA_*_TABLE)."""
        for kind, body in netlink.messages(datagram):
            if kind >> 8 != _SUBSYSTEM_NFTABLES:
                return
            if kind & 0xFF == _NEWGEN:
                self.transactions += 1
            elif self._names and (named := dict(netlink.attributes(body)).get(_TABLE_ATTRIBUTE)):
                self.tables.add(named.rstrip(b"\0").decode(errors="replace"))


def _exists(table: str) -> bool:
    tables = json.loads(run("nft", "-j", "list", "tables"))["nftables"]
    return any(entry.get("table", {}).get("name") == table for entry in tables)
