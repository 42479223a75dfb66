"""nftables text that tells of flows: a log group names the rule of each new flow, sets count its packets.

The kernel bounds what it tells (limits, sizes of sets), so that a scan costs a line, not the host.
"""

from dataclasses import dataclass
from typing import Final

# Where accepted packets are counted on their way; no chain of a peer has this name.
PASSED: Final = "passed"
COUNTED: Final = ("flows4", "flows6")
EVENTS_PER_SECOND: Final = 300
SET_SIZE: Final = 8192
IDLE_SECONDS: Final = 120
# An IPv6 header and ports; extension headers beyond that are seldom.
SNAP_BYTES: Final = 96
ALLOWED, DENIED = "a:", "d:"


@dataclass(frozen=True, slots=True)
class FlowLogging:
    """What a filter says about flows from the tunnel. group None: nothing, and every text is empty."""

    interface: str
    group: int | None

    def objects(self) -> str:
        """Limits, sets, and the chains that count: accepted packets as they come, answers as they leave."""
        if self.group is None:
            return ""
        limits = "".join(
            f"  limit {name} {{ rate {EVENTS_PER_SECOND}/second burst {2 * EVENTS_PER_SECOND} packets }}\n"
            for name in ("flows_allowed", "flows_denied")
        )
        sets = "".join(
            f"  set {name} {{ type ipv{version}_addr . ipv{version}_addr . inet_proto . inet_service; "
            f"flags dynamic,timeout; timeout {IDLE_SECONDS}s; size {SET_SIZE}; counter; }}\n"
            for name, version in zip(COUNTED, (4, 6), strict=True)
        )
        arriving = _count("saddr", "daddr", "dport")
        answering = _count("daddr", "saddr", "sport", f'oifname "{self.interface}" ct direction reply ')
        return (
            f"{limits}{sets}  chain {PASSED} {{\n{arriving}    accept\n  }}\n"
            "  chain answers {\n    type filter hook postrouting priority 0; policy accept;\n"
            f"{answering}  }}\n"
        )

    def noted(self, action: str, comment: str) -> str:
        """Statement that tells of a packet that a rule decides; of an accepted flow only the first one."""
        if self.group is None:
            return ""
        accepts = action == "accept"
        state, limit = ("ct state new ", "flows_allowed") if accepts else ("", "flows_denied")
        return f'{state}limit name "{limit}" {self._log((ALLOWED if accepts else DENIED) + comment)}'

    def refused(self) -> str:
        """The end of a chain: nothing accepted the packet."""
        told = f'    limit name "flows_denied" {self._log(DENIED)}\n' if self.group is not None else ""
        return f"{told}    counter drop\n"

    def _log(self, prefix: str) -> str:
        return f'log prefix "{prefix}" group {self.group} snaplen {SNAP_BYTES}'


def _count(peer: str, here: str, port: str, match: str = "") -> str:
    """One line an address family. ICMP has no ports: what stands there is its checksum."""
    return "".join(
        f"    {match}meta l4proto {{ tcp, udp }} "
        f"update @{name} {{ {family} {peer} . {family} {here} . meta l4proto . th {port} }}\n"
        for name, family in zip(COUNTED, ("ip", "ip6"), strict=True)
    )
