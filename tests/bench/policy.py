"""Speed of the policy engine: compile, edit, decide, and how each grows with the number of machines."""

import argparse
import gc
import json
import sys
import time
import uuid
from collections.abc import Callable
from random import Random
from statistics import median
from typing import Any

from apps.policy.engine import Policy, compile_policy, world_of
from apps.policy.facts import MachineFacts
from apps.policy.filters import Filters
from apps.policy.rules import Rule, parse_rule

RULES = 5_000
DECISIONS = 100_000
FLEETS = (100, 1_000, 10_000)
NOW = 1_795_000_000.0
TEAM = 20  # machines and rules of one team name each other, as in real organisations


def machines(count: int) -> list[MachineFacts]:
    """A fleet in teams of twenty, each machine with tags, an owner and a group."""
    found = []
    for number in range(count):
        team = number // TEAM
        found.append(
            MachineFacts(
                id=str(uuid.UUID(int=number + 1)),
                name=f"m{number}",
                addresses=(
                    f"100.{64 + number // 65536}.{number // 256 % 256}.{number % 256}",
                    f"fd00::{number:x}",
                ),
                tags=frozenset({f"team{team}", ("web", "db", "ci", "dev")[number % 4]}),
                owner_id=str(uuid.UUID(int=10**9 + number // 3)),
                owner_email=f"u{number // 3}@example.com",
                groups=frozenset({f"group{team // 5}"}),
                os=("linux", "darwin", "windows")[number % 3],
                country=("IN", "US", "DE")[number % 3],
                posture_ok=number % 7 != 0,
            )
        )
    return found


def rule_documents(random: Random, count: int, fleet: int) -> list[dict[str, Any]]:
    """Rules of teams, groups, people, machines and networks, some with conditions."""
    teams = max(1, fleet // TEAM)

    def end() -> str:
        kind = random.randrange(10)
        if kind < 6:
            return f"tag:team{random.randrange(teams)}"
        if kind == 6:
            return f"group:group{random.randrange(max(1, teams // 5))}"
        if kind == 7:
            return f"user:u{random.randrange(max(1, fleet // 3))}@example.com"
        if kind == 8:
            return f"100.64.{random.randrange(4)}.{random.randrange(16) * 16}/28"
        return str(uuid.UUID(int=random.randrange(fleet) + 1))

    found = []
    for number in range(count):
        document: dict[str, Any] = {
            "id": f"rule-{number}",
            "name": f"rule {number}",
            "source": end(),
            "destination": end(),
            "protocol": random.choice(("tcp", "udp", "*")),
            "ports": random.choice(("*", "22,443", "5000-5100", "80,8000-8999,9443")),
            "action": random.choice(("allow", "allow", "allow", "deny")),
            "priority": random.randrange(1000),
        }
        if number % 10 == 0:
            document |= {"time_hour": "09-18", "day_of_week": "mon-fri", "timezone": "Asia/Kolkata"}
        if number % 10 == 1:
            document |= {"require_posture": True, "source_country": ["IN", "US"]}
        found.append(document)
    return found


def timed(work: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """(median milliseconds, last result)."""
    taken, result = [], None
    for _ in range(rounds):
        gc.collect()
        begun = time.perf_counter()
        result = work()
        taken.append((time.perf_counter() - begun) * 1000)
    return median(taken), result


def decisions_ms(policy: Policy, random: Random) -> float:
    """Time of DECISIONS random questions."""
    listed = list(policy.world.machines.values())
    questions = [
        (
            random.choice(listed),
            random.choice(listed),
            random.choice(("tcp", "udp")),
            random.randrange(1, 65536),
        )
        for _ in range(DECISIONS)
    ]

    def ask() -> None:
        for source, destination, protocol, port in questions:
            policy.decide(source, destination, protocol, port, NOW)

    return timed(ask, 1)[0]


def edit(policy: Policy, changed: Rule) -> tuple[Policy, int]:
    """One rule exchanged, and the chains remade of the machines that it touches."""
    after = policy.edited(removed=[changed.id], added=[changed])
    touched = after.touched_by(changed)
    filters = Filters(after)
    sources = after.machines.named_by(changed.source)
    for destination in touched:
        for source in sources:
            filters.inbound(source, destination)
    return after, len(touched)


def measure(fleet: int, rounds: int) -> dict[str, float]:
    """All figures of one size of fleet."""
    random = Random(fleet)
    documents = rule_documents(random, RULES, fleet)
    parse_ms, rules = timed(lambda: [parse_rule(document) for document in documents], 1)
    world = world_of(machines(fleet))
    compile_ms, policy = timed(lambda: compile_policy(world, rules), rounds)
    edits, touched = [], []
    for _ in range(20):
        old = random.choice(documents)
        changed = parse_rule(old | {"ports": str(random.randrange(1, 65536))})
        edit_ms, (_, count) = timed(lambda changed=changed: edit(policy, changed), 1)
        edits.append(edit_ms)
        touched.append(count)
    viewer = str(uuid.UUID(int=1))
    filter_ms, _ = timed(lambda: Filters(policy).filter_of(viewer), rounds)
    return {
        "parse_ms": round(parse_ms, 1),
        "compile_ms": round(compile_ms, 1),
        "edit_ms": round(median(edits), 2),
        "edit_touched_machines": median(touched),
        "filter_of_one_machine_ms": round(filter_ms, 2),
        "decisions_ms": round(decisions_ms(policy, random), 1),
    }


def main() -> int:
    """Print figures; there is no limit to fail."""
    parser = argparse.ArgumentParser(prog="dev bench policy", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fleets", type=int, nargs="+", default=FLEETS)
    options = parser.parse_args()
    found = {fleet: measure(fleet, options.rounds) for fleet in options.fleets}
    small, large = min(found), max(found)
    growth = {
        name: round(found[large][name] / max(found[small][name], 0.001), 1)
        for name in found[small]
        if name.endswith("_ms")
    }
    result = {
        "bench": "policy",
        "rules": RULES,
        "decisions": DECISIONS,
        "growth_factor": growth,
        "figures": found,
    }
    if options.json:
        print(json.dumps(result))
        return 0
    for fleet, figures in found.items():
        print(f"{fleet} machines: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
    print(f"{large // small} times the machines cost: {growth}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
