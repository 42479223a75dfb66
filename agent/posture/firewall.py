"""Whether a firewall filters what comes in. What the agent itself put in the kernel never counts."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from agent.host.program import run
from agent.posture.findings import CHILD_SECONDS, UnknownReading

OWN_TABLES = "quickztna_"
_REFUSALS = frozenset({"drop", "reject"})
_LEGACY = (("iptables-legacy", "ip"), ("ip6tables-legacy", "ip6"))
MAX_TABLES = 20


@dataclass
class Chain:
    """entry: traffic to this host begins here; refuses: by policy or a rule; next: chains it leads to."""

    entry: bool = False
    refuses: bool = False
    next: set[Any] = field(default_factory=set)


def firewall() -> dict[str, Any]:
    """firewall_enabled and firewall_audit {backend, tables}; UnknownReading without the right to look."""
    programs = [name for name, _ in _LEGACY if shutil.which(name)]
    if not shutil.which("nft") and not programs:
        raise UnknownReading("neither nft nor iptables is installed")
    found: dict[str, Any] = {"firewall_enabled": False, "firewall_audit": None}
    if shutil.which("nft"):
        tables = nft_tables(json.loads(run("nft", "-j", "list", "ruleset", seconds=CHILD_SECONDS)))
        if active := sorted(name for name, chains in tables.items() if filters(chains)):
            audit = {"backend": "nftables", "tables": active[:MAX_TABLES]}
            return {"firewall_enabled": True, "firewall_audit": audit}
    for name in programs:
        if filters(legacy_chains(run(name, "-S", seconds=CHILD_SECONDS))):
            return {"firewall_enabled": True, "firewall_audit": {"backend": name, "tables": ["filter"]}}
    return found


def nft_tables(document: Mapping[str, Any]) -> dict[str, dict[Any, Chain]]:
    """Chains by table ("inet filter") of `nft -j list ruleset` (libnftables-json(5)), without our own."""
    tables: dict[str, dict[Any, Chain]] = {}
    for entry in document.get("nftables", ()):
        chain, rule = entry.get("chain"), entry.get("rule")
        body = chain or rule
        if not body or str(body["table"]).startswith(OWN_TABLES):
            continue
        chains = tables.setdefault(f"{body['family']} {body['table']}", {})
        if chain:
            made = chains.setdefault(chain["name"], Chain())
            made.entry = chain.get("type") == "filter" and chain.get("hook") == "input"
            made.refuses = made.refuses or (made.entry and chain.get("policy") == "drop")
        elif rule:
            made = chains.setdefault(rule["chain"], Chain())
            for name, value in _verdicts(rule.get("expr", ())):
                if name in ("jump", "goto"):
                    made.next.add(value.get("target"))
                else:
                    made.refuses = True
    return tables


def legacy_chains(text: str) -> dict[Any, Chain]:
    """Chains of `iptables -S` (iptables(8)): -P of built-in chains, -N, and -A with its target."""
    chains: dict[Any, Chain] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2:
            continue
        chain = chains.setdefault(words[1], Chain(entry=words[1] == "INPUT"))
        if words[0] == "-P" and len(words) > 2:
            chain.refuses = chain.refuses or words[2] == "DROP"
        for flag, target in pairwise(words):
            if words[0] == "-A" and flag in ("-j", "-g"):
                chain.refuses = chain.refuses or target in ("DROP", "REJECT")
                chain.next.add(target)
    return chains


def filters(chains: Mapping[Any, Chain]) -> bool:
    """Whether something on the way in refuses: an accepting chain with accepting rules is no firewall."""
    waiting = [name for name, chain in chains.items() if chain.entry]
    seen = set(waiting)
    while waiting:
        chain = chains.get(waiting.pop())
        if chain is None:
            continue
        if chain.refuses:
            return True
        waiting += chain.next - seen
        seen |= chain.next
    return False


def _verdicts(expression: Any) -> Iterator[tuple[str, Any]]:
    """Refusals and jumps anywhere in a rule, in verdict maps too."""
    if isinstance(expression, Mapping):
        for name, value in expression.items():
            if name in _REFUSALS or (name in ("jump", "goto") and isinstance(value, Mapping)):
                yield name, value
            elif name == "xt" and isinstance(value, Mapping) and value.get("name") in ("REJECT", "DROP"):
                yield "reject", None
            else:
                yield from _verdicts(value)
    elif isinstance(expression, Iterable) and not isinstance(expression, str):
        for each in expression:
            yield from _verdicts(each)
