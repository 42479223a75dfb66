"""Which rules a machine is an end of, as bits of a whole number; which machines a selector names.

Bit n stands for the rule in slot n. A machine's rules come from a few look-ups by what it is, so that
neither rules nor machines are ever gone through one by one; edits copy dictionaries, not what they hold.
"""

import bisect
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from apps.policy.facts import Address, MachineFacts
from apps.policy.selectors import ANYONE, Atom, Network, Selector


@dataclass(slots=True)
class RuleIndex:
    """Slots by what one end of their rules names."""

    by_atom: dict[Atom, int] = field(default_factory=dict)
    # (version, prefix length) -> network -> slots: one look-up for each length in use
    by_network: dict[tuple[int, int], dict[int, int]] = field(default_factory=dict)

    def copy(self) -> "RuleIndex":
        """One that can be edited while this one stays."""
        return RuleIndex(
            dict(self.by_atom), {length: dict(slots) for length, slots in self.by_network.items()}
        )

    def flip(self, slot: int, selector: Selector) -> None:
        """Put a slot in, or take it out again."""
        bit = 1 << slot
        for atom in selector.atoms:
            self.by_atom[atom] = self.by_atom.get(atom, 0) ^ bit
        for network in set(selector.networks):
            slots = self.by_network.setdefault((network.version, network.prefixlen), {})
            start = int(network.network_address)
            slots[start] = slots.get(start, 0) ^ bit

    def rules_of(self, machine: MachineFacts) -> int:
        """Slots whose end names the machine."""
        found = 0
        for atom in machine.atoms():
            found |= self.by_atom.get(atom, 0)
        for address in machine.networks():
            found |= self._containing(address)
        return found

    def rules_behind(self, carried: Iterable[Network]) -> int:
        """Slots whose end speaks of something within these networks: `*`, a network that overlaps."""
        found, listed = 0, list(carried)
        if listed:
            found = self.by_atom.get(ANYONE, 0)
        for network in listed:
            for (version, length), slots in self.by_network.items():
                if version != network.version:
                    continue
                for start, bits in slots.items():
                    if overlap(_network(version, start, length), network):
                        found |= bits
            for (kind, text), bits in self.by_atom.items():
                if kind == "ip" and ipaddress.ip_address(text) in network:
                    found |= bits
        return found

    def _containing(self, address: Address) -> int:
        found, number, width = 0, int(address), address.max_prefixlen
        for (version, length), slots in self.by_network.items():
            if version == address.version:
                found |= slots.get(number >> (width - length) << (width - length), 0)
        return found


@dataclass(slots=True)
class MachineIndex:
    """Machines by what a selector may name them by."""

    by_atom: dict[Atom, frozenset[str]] = field(default_factory=dict)
    # version -> sorted (address, machine id)
    addresses: dict[int, list[tuple[int, str]]] = field(default_factory=lambda: {4: [], 6: []})

    @classmethod
    def of(cls, machines: Iterable[MachineFacts]) -> "MachineIndex":
        """All machines at once."""
        sets: dict[Atom, set[str]] = {}
        index = cls()
        for machine in machines:
            for atom in machine.atoms():
                sets.setdefault(atom, set()).add(machine.id)
            for address in machine.networks():
                index.addresses[address.version].append((int(address), machine.id))
        for listed in index.addresses.values():
            listed.sort()
        index.by_atom = {atom: frozenset(ids) for atom, ids in sets.items()}
        return index

    def replaced(self, old: Iterable[MachineFacts], new: Iterable[MachineFacts]) -> "MachineIndex":
        """With some machines' facts exchanged, come or gone."""
        index = MachineIndex(dict(self.by_atom), {v: list(listed) for v, listed in self.addresses.items()})
        for machine in old:
            for atom in machine.atoms():
                index.by_atom[atom] = index.by_atom[atom] - {machine.id}
            for address in machine.networks():
                index.addresses[address.version].remove((int(address), machine.id))
        for machine in new:
            for atom in machine.atoms():
                index.by_atom[atom] = index.by_atom.get(atom, frozenset()) | {machine.id}
            for address in machine.networks():
                bisect.insort(index.addresses[address.version], (int(address), machine.id))
        return index

    def named_by(self, selector: Selector) -> set[str]:
        """Ids of the machines that it names."""
        found: set[str] = set()
        for atom in selector.atoms:
            found |= self.by_atom.get(atom, frozenset())
        for network in selector.networks:
            listed = self.addresses[network.version]
            low = bisect.bisect_left(listed, (int(network.network_address), ""))
            high = bisect.bisect_left(listed, (int(network.broadcast_address) + 1, ""))
            found.update(machine_id for _, machine_id in listed[low:high])
        return found


def slots_of(bits: int) -> Iterator[int]:
    """The slots that stand in a number, lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def overlap(one: Network, other: Network) -> Network | None:
    """What both hold: the narrower one, or None."""
    if one.version != other.version:
        return None
    narrow, wide = (one, other) if one.prefixlen >= other.prefixlen else (other, one)
    return narrow if narrow.subnet_of(wide) else None  # type: ignore[arg-type]


def _network(version: int, start: int, length: int) -> Network:
    if version == 4:
        return ipaddress.IPv4Network((start, length))
    return ipaddress.IPv6Network((start, length))
