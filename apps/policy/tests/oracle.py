"""A second reading of the rules: slow, plain, over documents, and sharing no code with the engine."""

import ipaddress
from datetime import datetime
from zoneinfo import ZoneInfo

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def named(selector, machine):
    return any(_member(member.strip(), machine) for member in selector.split(","))


def _member(member, machine):
    if member == "*":
        return True
    if member.startswith("tag:"):
        return member[4:] in machine.tags
    if member.startswith("user:"):
        return member[5:].lower() in [name for name in (machine.owner_id, machine.owner_email) if name]
    if member.startswith("group:"):
        return member[6:].lower() in machine.groups
    if member == machine.id:
        return True
    try:
        network = ipaddress.ip_network(member)
    except ValueError:
        return False
    return any(ipaddress.ip_address(address) in network for address in machine.addresses)


def speaks_of_address(selector, address):
    for member in selector.split(","):
        if member == "*":
            return True
        try:
            if ipaddress.ip_address(address) in ipaddress.ip_network(member):
                return True
        except ValueError:
            continue
    return False


def open_now(hours, days, timezone, now):
    clock = datetime.fromtimestamp(now, ZoneInfo(timezone or "UTC"))
    if days:
        wanted = set()
        for part in days.split(","):
            ends = [DAYS.index(day) for day in part.split("-")]
            at = ends[0]
            wanted.add(at)
            while at != ends[-1]:
                at = (at + 1) % 7
                wanted.add(at)
        if clock.weekday() not in wanted:
            return False
    if hours:
        start, end = hours.split("-")
        start = start if ":" in start else start + ":00"
        end = end if ":" in end else end + ":00"
        shown = f"{clock.hour:02}:{clock.minute:02}"
        if start < end:
            return start <= shown < end
        return shown >= start or shown < end
    return True


def matches(rule, source, at_end, protocol, port, now, pqc):
    if not named(rule["source"], source) or not at_end:
        return False
    wanted, ports = rule.get("protocol", "*"), rule.get("ports", "*")
    if wanted not in ("*", protocol):
        return False
    if ports != "*":
        if protocol == "icmp":
            return False
        numbers = [[int(end) for end in part.split("-")] for part in ports.replace(" ", "").split(",")]
        if not any(ends[0] <= port <= ends[-1] for ends in numbers):
            return False
    if rule.get("starts_at") is not None and now < rule["starts_at"]:
        return False
    if rule.get("expires_at") is not None and now >= rule["expires_at"]:
        return False
    if rule.get("source_country") and source.country not in rule["source_country"]:
        return False
    if rule.get("source_os") and source.os not in rule["source_os"]:
        return False
    if rule.get("require_posture") and source.posture_ok is not True:
        return False
    if rule.get("require_pqc") and not pqc:
        return False
    return open_now(rule.get("time_hour"), rule.get("day_of_week"), rule.get("timezone"), now)


def forbidden(policy, source, now):
    if not named(policy["selector"], source):
        return False
    asked, holds = policy["conditions"], True
    if "country" in asked:
        holds &= source.country in asked["country"]
    if "os" in asked:
        holds &= source.os in asked["os"]
    if "tags" in asked:
        holds &= any(tag in source.tags for tag in asked["tags"])
    if "roles" in asked:
        holds &= source.owner_role in asked["roles"]
    if "posture" in asked:
        holds &= {True: "compliant", False: "non_compliant", None: "?"}[source.posture_ok] == asked["posture"]
    holds &= open_now(asked.get("time_hour"), asked.get("day_of_week"), asked.get("timezone"), now)
    return holds if policy["effect"] == "deny" else not holds


def decide(case, source, destination, protocol, port, now, address=None):
    """(allowed, reason, rule id); address: of a network behind the destination, not the machine itself."""
    if source.id == destination.id:
        return True, "rule", None
    for machine in (source, destination):
        if machine.status in ("pending", "quarantined") or machine.barred:
            return False, "machine_status", None
    if case["lockdown"]:
        return False, "lockdown", None
    allowed, reason, rule_id = not case["default_deny"], "default", None
    rules = sorted(case["rules"], key=lambda r: (r["priority"], r["created_at"], r["id"]))
    for rule in rules:
        if address:
            at_end = speaks_of_address(rule["destination"], address)
        else:
            at_end = named(rule["destination"], destination)
        if matches(rule, source, at_end, protocol, port, now, source.pqc and destination.pqc):
            allowed, reason, rule_id = rule["action"] == "allow", "rule", rule["id"]
            break
    if not allowed:
        return False, reason, rule_id
    if source.posture_restricted and destination.tags:
        return False, "posture", rule_id
    for policy in case["abac"]:
        if forbidden(policy, source, now):
            return False, "abac", rule_id
    if source.threat_blocked or destination.threat_blocked:
        return False, "threat", rule_id
    return True, reason, rule_id
