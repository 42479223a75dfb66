"""Routes in a table of our own, found by everything that does not carry our mark.

As wg-quick does: `not fwmark M lookup M`. What the agent and WireGuard send themselves is marked and sees
the host's own tables only, so that no route can swallow the path to a peer, relay or control plane.
"""

import contextlib
import ipaddress
import json
import logging
from pathlib import Path

from agent.engine.filter import kill_switch
from agent.engine.routes import LINK_ONLY, LocalNetwork, RoutePlan
from agent.host.program import run
from agent.io.journal import Journal

logger = logging.getLogger("agent.routes")

# Before the main table (32766); the local one (0) stays first.
RULE_PREFERENCE = 5210
KILL_SWITCH = "quickztna_exit"
_SYSCTL = Path("/proc/sys/net")


class HostRoutes:
    """Routing table and rule, forwarding, kill switch. Errors are OSError."""

    def __init__(self, journal: Journal, interface: str, mark: int) -> None:
        self._journal, self._interface, self._mark = journal, interface, mark
        self._plan = RoutePlan()
        self._switch: str | None = None

    def local_networks(self) -> list[LocalNetwork]:
        """Networks that the host has routes to, the default route apart."""
        found = []
        for family in ("-4", "-6"):
            with contextlib.suppress(OSError, ValueError):
                for route in json.loads(run("ip", family, "-j", "route", "show", "table", "main")):
                    if route["dst"] != "default" and route.get("dev") not in (self._interface, "lo"):
                        prefix = ipaddress.ip_network(route["dst"])
                        found.append(LocalNetwork(prefix, connected="gateway" not in route))
        return found

    def apply(self, plan: RoutePlan) -> None:
        """Make the table that of the plan, and the rule that leads to it."""
        if plan == self._plan:
            return
        table = str(self._mark)
        if plan.tunnel:
            self._journal.record("route_table", table=self._mark)
            self._journal.record("rule", pref=RULE_PREFERENCE, table=self._mark)
        tunnel = {prefix: f"{prefix} dev {self._interface}" for prefix in plan.tunnel}
        bypass = {prefix: f"throw {prefix}" for prefix in plan.bypass}
        old = {prefix: f"throw {prefix}" for prefix in self._plan.bypass}
        old |= {prefix: f"{prefix} dev {self._interface}" for prefix in self._plan.tunnel}
        new = bypass | tunnel
        commands = [
            f"route del {old[prefix]} table {table}" for prefix in old if new.get(prefix) != old[prefix]
        ]
        commands += [
            f"route add {new[prefix]} table {table}" for prefix in new if old.get(prefix) != new[prefix]
        ]
        if plan.everything != self._plan.everything:
            self._strict_sources(plan.everything)
        _batch(commands)
        if plan.tunnel and not self._plan.tunnel:
            rule = f"not fwmark {self._mark:#x} pref {RULE_PREFERENCE} table {table}"
            _batch([f"rule add {rule}"], families=("-4", "-6"))
        elif not plan.tunnel:
            self._journal.retract("rule", pref=RULE_PREFERENCE, table=self._mark)
            self._journal.retract("route_table", table=self._mark)
        self._plan = plan

    def guard(self, *, allow_lan: bool, lan: list[str], bypass: list[str]) -> None:
        """Let nothing leave in clear. It outlives a crash of the daemon, as the user asked for it."""
        text = kill_switch(
            KILL_SWITCH,
            interface=self._interface,
            mark=self._mark,
            exempt=[*LINK_ONLY, *bypass],
            allow_lan=allow_lan,
            lan=lan,
        )
        if text != self._switch:
            self._journal.record("table", lasting=True, name=KILL_SWITCH)
            run("nft", "-f", "-", stdin=text)
            self._switch = text

    def unguard(self) -> None:
        """Take the kill switch away."""
        self._journal.retract("table", name=KILL_SWITCH)
        self._switch = None

    def forward(self, wanted: bool) -> None:
        """Whether the host routes for others."""
        keys = [_SYSCTL / "ipv4/ip_forward", _SYSCTL / "ipv6/conf/all/forwarding"]
        if not wanted:
            for key in keys:
                self._journal.retract("sysctl", path=str(key))
            return
        # A router ignores router advertisements unless told not to (2), and would lose its own default route.
        for key in (_SYSCTL / "ipv6/conf").glob("*/accept_ra"):
            if key.read_text().strip() == "1":
                self._set(key, "2")
        for key in keys:
            self._set(key, "1")

    def forget(self) -> None:
        """All of it was undone; the next apply starts from nothing."""
        self._plan, self._switch = RoutePlan(), None

    def _strict_sources(self, wanted: bool) -> None:
        """Reverse path checks must see the mark, or a strict one drops what WireGuard receives."""
        key = _SYSCTL / "ipv4/conf/all/src_valid_mark"
        if wanted:
            self._set(key, "1")
        else:
            self._journal.retract("sysctl", path=str(key))

    def _set(self, key: Path, value: str) -> None:
        if not key.exists():
            return  # IPv6 is switched off
        before = key.read_text().strip()
        if before != value:
            self._journal.record("sysctl", path=str(key), value=before)
            key.write_text(value)


def _batch(commands: list[str], families: tuple[str, ...] | None = None) -> None:
    """Run ip commands, each with the family of its prefix, or all with each of the given families."""
    for family in ("-4", "-6"):
        mine = [line for line in commands if families or (":" in line) == (family == "-6")]
        if mine:
            # A route that is gone or there already must not keep the rest from being set.
            try:
                run("ip", "-force", family, "-batch", "-", stdin="\n".join(mine) + "\n")
            except OSError as error:
                logger.warning("not every route could be set: %s", error)
