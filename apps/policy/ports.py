"""Ports as a rule names them: intervals of 1..65535, merged, never a list of numbers."""

from collections.abc import Iterable
from itertools import pairwise

from apps.policy.faults import RuleFault

LAST_PORT = 65_535
MAX_ENTRIES = 64
ANY_PORT = "*"

Interval = tuple[int, int]


def parse_ports(text: object) -> tuple[Interval, ...]:
    """Merged intervals in their order of "22, 8000 - 8100"; empty for `*`. Raises RuleFault."""
    if not isinstance(text, str):
        raise RuleFault("ports", "ports: must be text such as 22,8000-8100", grammar=False)
    bare = "".join(text.split())
    if bare == ANY_PORT:
        return ()
    entries = bare.split(",")
    if len(entries) > MAX_ENTRIES:
        raise RuleFault("ports", f"ports: at most {MAX_ENTRIES} entries")
    return merge(_parse_entry(entry) for entry in entries)


def _parse_entry(entry: str) -> Interval:
    first, dash, last = entry.partition("-")
    last = last if dash else first
    # isdecimal alone takes digits of other scripts, which nftables would not.
    if not all(end.isascii() and end.isdecimal() and len(end) <= 5 for end in (first, last)):
        raise RuleFault("ports", f"ports: {entry[:20]!r} is neither a port nor a range like 8000-8100")
    low, high = int(first), int(last)
    for port in (low, high):
        if not 1 <= port <= LAST_PORT:
            raise RuleFault("ports", f"ports: {port} is not within 1 to {LAST_PORT}")
    if low > high:
        raise RuleFault("ports", f"ports: the range {low}-{high} is reversed; did you mean {high}-{low}?")
    return low, high


def merge(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same ports in as few intervals as can be, in their order."""
    merged: list[Interval] = []
    for low, high in sorted(intervals):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def format_ports(intervals: tuple[Interval, ...]) -> str:
    """The text that is stored; parse_ports gives the same intervals again."""
    return ",".join(map(format_interval, intervals)) or ANY_PORT


def format_interval(interval: Interval) -> str:
    """ "22" or "8000-8100"."""
    low, high = interval
    return str(low) if low == high else f"{low}-{high}"


def holds(intervals: tuple[Interval, ...], port: int) -> bool:
    """Whether a port is among them; no intervals stand for all ports."""
    return not intervals or any(low <= port <= high for low, high in intervals)


def segments(sets: Iterable[tuple[Interval, ...]]) -> list[Interval]:
    """1..65535 cut wherever one of the sets begins or ends: within a segment all ports are alike."""
    cuts = {1, LAST_PORT + 1}
    for intervals in sets:
        for low, high in intervals:
            cuts |= {low, high + 1}
    edges = sorted(cuts)
    return [(low, high - 1) for low, high in pairwise(edges)]
