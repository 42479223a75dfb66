"""The engine, its packet filters and a naive interpreter judge random policies alike."""

from dataclasses import replace
from random import Random

import pytest

from apps.policy.abac import parse_attribute_policy
from apps.policy.engine import compile_policy, world_of
from apps.policy.filters import Filters
from apps.policy.rules import parse_rule
from apps.policy.tests import generate, oracle

POLICIES = 100_000
CHUNKS = 8
PROBES = (22, 23, 80, 85, 99, 100, 443, 8100, 65535)
BEHIND = ("10.1.2.3", "10.1.9.9", "10.2.0.1", "fd99::1", "9.9.9.9")


def compiled(case):
    world = world_of(case["machines"], default_deny=case["default_deny"], lockdown=case["lockdown"])
    return compile_policy(world, map(parse_rule, case["rules"]), map(parse_attribute_policy, case["abac"]))


def engine_says(policy, source, destination, protocol, port, now):
    verdict = policy.decide(source, destination, protocol, port, now)
    return verdict.allowed, verdict.reason, verdict.rule.id if verdict.rule else None


def filter_says(filters, source, destination, protocol, port, now, address=None):
    """What a machine does that knows nothing but its chains."""
    found = filters.inbound(source.id, destination.id)
    for line in found[1] if found else ():
        if not line.in_force(now) or line.protocol not in ("any", protocol):
            continue
        if line.ports and (protocol == "icmp" or not _in_ports(port, line.ports)):
            continue
        if address is None and line.destinations:
            continue
        if address and not oracle.speaks_of_address(",".join(line.destinations), address):
            continue
        return line.action == "accept"
    return False


def _in_ports(port, entries):
    numbers = [[int(end) for end in entry.split("-")] for entry in entries]
    return any(ends[0] <= port <= ends[-1] for ends in numbers)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_engine_and_filter_agree_with_the_oracle(chunk):
    random = Random(f"policies {chunk}")
    seen = set()
    for number in range(POLICIES // CHUNKS):
        case = generate.organisation(random)
        policy, now = compiled(case), case["now"]
        filters = Filters(policy)
        for _ in range(3):
            source, destination = random.sample(case["machines"], 2)
            protocol, port = random.choice(("tcp", "udp", "icmp")), random.choice(PROBES)
            at = now + random.choice((0, 0, 3600, -7 * 3600))
            expected = oracle.decide(case, source, destination, protocol, port, at)
            question = (source, destination, protocol, port, at)
            assert engine_says(policy, *question) == expected, (chunk, number, question, case)
            assert filter_says(filters, *question) == expected[0], (chunk, number, question, case)
            seen.add(expected[1])
            if destination.carries:
                address = random.choice(BEHIND)
                if oracle.speaks_of_address(",".join(destination.carries), address):
                    wanted = oracle.decide(case, *question, address=address)[0]
                    told = filter_says(filters, *question, address=address)
                    assert told == wanted, (chunk, number, address, question, case)
    assert seen == {"rule", "default", "machine_status", "lockdown", "posture", "abac", "threat"}


def test_all_ports_at_once_are_all_ports_one_by_one():
    random = Random("ports")
    for _ in range(300):
        case = generate.organisation(random)
        policy, now = compiled(case), case["now"]
        source, destination = random.sample(case["machines"], 2)
        found = policy.decide_ports(source, destination, "tcp", now)
        assert [part.ports[0] for part in found[1:]] == [part.ports[1] + 1 for part in found[:-1]]
        assert (found[0].ports[0], found[-1].ports[1]) == (1, 65535)
        for part in found:
            low, high = part.ports
            for port in {low, high, random.randint(low, high)}:
                expected = oracle.decide(case, source, destination, "tcp", port, now)
                assert part.verdict.allowed == expected[0]


def test_an_edited_policy_is_the_policy_compiled_anew():
    random = Random("edits")
    for _ in range(1500):
        case = generate.organisation(random)
        policy, now = compiled(case), case["now"]
        for step in range(4):
            rules = {rule["id"]: rule for rule in case["rules"]}
            removed = random.sample(sorted(rules), min(len(rules), random.randrange(2)))
            added = [generate.rule(random, 100 + step, now) for _ in range(random.randrange(2))]
            case["rules"] = [rule for rule in case["rules"] if rule["id"] not in removed] + added
            policy = policy.edited(removed=removed, added=map(parse_rule, added))
            if random.random() < 0.5:
                other = generate.machine(random, random.randrange(4))
                case["machines"] = [m for m in case["machines"] if m.id != other.id] + [other]
                policy = policy.with_machines(changed=[other])
            elif len(case["machines"]) > 2:
                gone = case["machines"].pop()
                policy = policy.with_machines(removed=[gone.id])
        fresh = compiled(case)
        for source in case["machines"]:
            for destination in case["machines"]:
                for protocol, port in (("tcp", 22), ("udp", 8000), ("icmp", 0)):
                    question = source, destination, protocol, port, now
                    assert engine_says(policy, *question) == engine_says(fresh, *question)
                edited, anew = (Filters(p).inbound(source.id, destination.id) for p in (policy, fresh))
                assert edited == anew


def test_machines_with_equal_rights_share_a_chain_whose_name_outlives_edits():
    random = Random("names")
    machines = [replace(generate.machine(random, n), status="online", barred=False) for n in range(5)]
    machines = [
        replace(m, tags=frozenset({"dev"}), threat_blocked=False, posture_restricted=False, owner_id=None)
        for m in machines
    ]
    document = {"id": "r", "name": "r", "source": "tag:dev", "destination": machines[0].id, "priority": 1}
    policy = compile_policy(world_of(machines), [parse_rule(document)])
    chains, inbound = Filters(policy).filter_of(machines[0].id)
    assert len(chains) == 1
    assert set(inbound.values()) == set(chains)
    changed = parse_rule(document | {"ports": "22"})
    second = parse_rule(document | {"id": "s", "action": "deny", "protocol": "udp"})
    edited = policy.edited(removed=["r"], added=[changed, second])
    after, same = Filters(edited).filter_of(machines[0].id)
    assert same == inbound
    assert after != chains
    assert policy.touched_by(changed) == {machines[0].id}


def test_the_next_boundary_is_the_first_moment_at_which_something_changes():
    random = Random("boundaries")
    for _ in range(1500):
        case = generate.organisation(random)
        policy, now = compiled(case), case["now"]
        boundary = policy.next_boundary(now)
        limit = boundary or now + 8 * 86400
        probes = [random.uniform(now, limit - 0.001) for _ in range(4)]
        for source in case["machines"]:
            for destination in case["machines"]:
                expected = oracle.decide(case, source, destination, "tcp", 22, now)
                assert {oracle.decide(case, source, destination, "tcp", 22, at) for at in probes} == {
                    expected
                }
