"""Random small organisations: few names, so that rules meet, shadow and contradict each other often."""

import uuid
from random import Random

from apps.policy.facts import MachineFacts

IDS = [str(uuid.UUID(int=n + 1)) for n in range(5)]
TAGS, GROUPS = ("dev", "db", "Web"), ("eng", "ops team")
USERS = [(str(uuid.UUID(int=n + 100)), f"u{n}@example.com") for n in range(3)]
COUNTRIES, SYSTEMS = ("IN", "US", "DE"), ("linux", "darwin", "windows")
PORTS = ("*", "22", "443", "22,443", "1-65535", "8000-8100", "1-21,23-65535", "80 - 90,85-99", "65535")
HOURS = ("09-18", "22-06", "00-24", "08:30-17:15", "23:59-00:01", "17-09")
DAY_TEXTS = ("mon-fri", "sat,sun", "fri-mon", "wed", "mon,wed,fri")
ZONES = ("UTC", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
NETWORKS = (
    "100.64.0.0/24",
    "100.64.0.2/31",
    "fd00::/64",
    "10.0.0.0/8",
    "10.1.2.0/24",
    "0.0.0.0/0",
    "fd99::/48",
)
CARRIED = ((), (), (), ("10.1.0.0/16",), ("10.1.0.0/16", "fd99::/48"), ("0.0.0.0/0", "::/0"))
# Around both changes of the clocks of a year, where windows are most likely to be wrong.
MOMENTS = (1_774_746_000, 1_793_322_000, 1_772_953_200, 1_793_512_800)
YEAR_START, YEAR_SECONDS = 1_767_225_600, 365 * 86_400


def moment(random: Random) -> float:
    """Some second of 2026, often one near a change of the clocks or on a full minute."""
    if random.random() < 0.3:
        return random.choice(MOMENTS) + random.randrange(-90_000, 90_000) // 60 * 60
    return YEAR_START + random.randrange(YEAR_SECONDS)


def machine(random: Random, number: int) -> MachineFacts:
    """One of five machines with random properties."""
    owner = random.choice([*USERS, (None, None)])
    return MachineFacts(
        id=IDS[number],
        name=f"m{number}",
        addresses=(f"100.64.0.{number + 1}", f"fd00::{number + 1}"),
        status=random.choice(("online",) * 9 + ("offline", "pending", "quarantined")),
        barred=random.random() < 0.03,
        tags=frozenset(random.sample(TAGS, random.randrange(3))),
        owner_id=owner[0],
        owner_email=owner[1],
        owner_role=random.choice(("owner", "admin", "member")) if owner[0] else None,
        groups=frozenset(random.sample(GROUPS, random.randrange(2))),
        os=random.choice(SYSTEMS),
        country=random.choice((*COUNTRIES, None)),
        posture_ok=random.choice((True, True, False, None)),
        posture_restricted=random.random() < 0.1,
        pqc=random.random() < 0.7,
        threat_blocked=random.random() < 0.03,
        carries=random.choice(CARRIED),
    )


def selector(random: Random) -> str:
    """One to three members of any kind."""
    makers = (
        lambda: "*",
        lambda: "tag:" + random.choice(TAGS),
        lambda: "group:" + random.choice(GROUPS),
        lambda: "user:" + random.choice(random.choice(USERS)),
        lambda: random.choice(IDS),
        lambda: f"100.64.0.{random.randrange(1, 7)}",
        lambda: f"fd00::{random.randrange(1, 7)}",
        lambda: "10.1.2.3",
        lambda: random.choice(NETWORKS),
    )
    count = 1 if random.random() < 0.8 else random.randrange(2, 4)
    return ",".join(random.choice(makers)() for _ in range(count))


def rule(random: Random, number: int, now: float) -> dict:
    """One rule as its columns."""
    protocol = random.choice(("*", "*", "tcp", "udp", "icmp"))
    found = {
        "id": f"r{number}",
        "name": f"rule {number}",
        "source": selector(random),
        "destination": selector(random),
        "protocol": protocol,
        "ports": "*" if protocol == "icmp" else random.choice(PORTS),
        "action": random.choice(("allow", "allow", "deny")),
        "priority": random.choice((10, 100, 100)),
        "created_at": random.randrange(3),
    }
    if random.random() < 0.4:
        extra = {
            "time_hour": random.choice(HOURS),
            "day_of_week": random.choice(DAY_TEXTS),
            "source_country": random.sample(COUNTRIES, 2),
            "source_os": random.sample(SYSTEMS, 1),
            "require_posture": True,
            "require_pqc": True,
            "starts_at": now + random.choice((-5, 0, 5)),
            "expires_at": now + random.choice((-5, 0, 5)),
        }
        for name in random.sample(sorted(extra), random.choice((1, 1, 2))):
            found[name] = extra[name]
        found["timezone"] = random.choice(ZONES)
    return found


def attribute_policy(random: Random, number: int) -> dict:
    """One attribute policy as its columns."""
    asked = {
        "time_hour": random.choice(HOURS),
        "day_of_week": random.choice(DAY_TEXTS),
        "country": random.sample(COUNTRIES, 2),
        "os": random.sample(SYSTEMS, 2),
        "tags": random.sample(TAGS, 1),
        "roles": ["owner", "admin"],
        "posture": random.choice(("compliant", "non_compliant")),
    }
    names = random.sample(sorted(asked), random.choice((1, 1, 2)))
    return {
        "id": f"p{number}",
        "name": f"policy {number}",
        "effect": random.choice(("deny", "require")),
        "selector": selector(random),
        "conditions": {"timezone": random.choice(ZONES)} | {name: asked[name] for name in names},
    }


def organisation(random: Random) -> dict:
    """now, machines, rules, abac, default_deny, lockdown."""
    now = moment(random)
    return {
        "now": now,
        "machines": [machine(random, number) for number in range(random.choice((2, 3)))],
        "rules": [rule(random, number, now) for number in range(random.randrange(5))],
        "abac": [attribute_policy(random, 0)] if random.random() < 0.1 else [],
        "default_deny": random.random() < 0.8,
        "lockdown": random.random() < 0.02,
    }
