"""A planned change of policy as people read it on a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from agent.cli.output import plain, print_table, style

_GOOD, _BAD = "✓", "✗"
_SIGNS: Final = {"created": ("+", "green"), "updated": ("~", "yellow"), "deleted": ("-", "red")}
_NOUNS: Final = {
    "acl_rules": "rule",
    "abac_policies": "attribute policy",
    "segmentation_groups": "group",
    "posture_policies": "posture policy",
}
MAX_LINES = 40


def print_plan(plan: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> None:
    """The plan; rows are the present rules by id."""
    click.echo(f"Plan {plan['plan_id']} for policy version {plan['base_version']}\n")
    _print_changes(plan, rows)
    for check in plan["checks"]:
        mark = style(_GOOD, fg="green") if check["ok"] else style(_BAD, fg="red")
        click.echo(f"{mark} {plain(check['name']):<10}{plain(check['message'])}")
    for failure in plan["tests"]["failed"]:
        by = f" by {plain(failure['rule'])!r}" if failure["rule"] else ""
        click.echo(
            f"    {plain(failure['name'])}: expected {failure['expected']}, is {failure['actual']}{by}"
        )
    for kind, found in (plan.get("posture") or {}).items():
        if found["count"]:
            click.echo(f"{style('!', fg='yellow')} {kind}: {_names(found)}")
    for name in plan["unresolved"]:
        click.echo(f"{style('!', fg='yellow')} {plain(name)} names nothing that exists")
    for kind in ("shadowed", "duplicates"):
        for entry in plan[kind]:
            text = f"{plain(entry['name'])!r} never decides: {plain(entry['by'])!r} comes first"
            click.echo(f"{style('!', fg='yellow')} {text}")
    for title, sign, colour in (("gained", "+", "green"), ("lost", "-", "red")):
        _print_flows(title, style(sign, fg=colour), plan["flows"][title])
    if plan["flows"]["sampled"]:
        click.echo("\nThere are more flows than are shown.")
    click.echo(f"\n{_count(plan['machines_affected'], 'machine')} affected; {_cut(plan)}.")
    _print_cut(plan)


def has_changes(plan: Mapping[str, Any]) -> bool:
    """Whether anything was asked for."""
    wanted = plan["changes"]
    tables = [rows for name, rows in wanted.items() if name != "settings"]
    return bool(wanted.get("settings") or any(any(rows.values()) for rows in tables))


def holds(plan: Mapping[str, Any]) -> bool:
    """Whether every check does."""
    return all(check["ok"] for check in plan["checks"])


def rule_line(rule: Mapping[str, Any]) -> str:
    """`allow tag:web -> tag:db tcp/5432`; what a new rule leaves out has its default."""
    rule = {"action": "allow", "protocol": "*", "ports": "*", **rule}
    return plain(f"{rule['action']} {flow_text(rule)}")


def flow_text(rule: Mapping[str, Any]) -> str:
    """`tag:web -> tag:db tcp/5432`."""
    ports = f"/{rule['ports']}" if rule["ports"] != "*" else ""
    return plain(f"{rule['source']} -> {rule['destination']} {rule['protocol']}{ports}")


def _print_changes(plan: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> None:
    wanted = plan["changes"]
    rules = wanted.get("acl_rules") or {}
    for rule in rules.get("create") or ():
        click.echo(f"{style('+', fg='green')} {plain(rule['name'])}: {rule_line(rule)}")
    for change in rules.get("update") or ():
        row = rows.get(change["id"], {})
        click.echo(f"{style('~', fg='yellow')} {plain(row.get('name', change['id']))}")
        for name, value in change.items():
            if name not in ("id", "revision"):
                click.echo(f"    {name}: {_value(row.get(name))} -> {_value(value)}")
    left = [entry["id"] if isinstance(entry, Mapping) else entry for entry in rules.get("delete") or ()]
    for row_id in left:
        gone = rows.get(row_id)
        text = f"{plain(gone['name'])}: {rule_line(gone)}" if gone else row_id
        click.echo(f"{style('-', fg='red')} {text}")
    told = {*left, *(change["id"] for change in rules.get("update") or ())}
    for row in plan.get("changed") or ():
        # A new rule has been told above; one that only follows a group has not.
        if row["table"] != "acl_rules" or (row["change"] == "updated" and row["id"] not in told):
            _print_row(row)
    for name, value in (wanted.get("settings") or {}).items():
        click.echo(f"{style('~', fg='yellow')} setting {plain(name)}: {_value(value)}")
    click.echo("" if has_changes(plan) else "No rule changes.\n")


def _print_row(row: Mapping[str, Any]) -> None:
    """`~ group builders: name; 2 machines join, 1 leaves`."""
    sign, colour = _SIGNS[row["change"]]
    moves = [
        f"{_count(row[kind], 'machine')} {verb if row[kind] > 1 else verb + 's'}"
        for kind, verb in (("machines_added", "join"), ("machines_removed", "leave"))
        if row.get(kind)
    ]
    what = "; ".join(filter(None, (", ".join(row["columns"]), ", ".join(moves))))
    noun = _NOUNS.get(row["table"], row["table"])
    name = f"{noun} {plain(row['name'] or row['id'])}"
    click.echo(f"{style(sign, fg=colour)} {name}{': ' + plain(what) if what else ''}")


def _names(found: Mapping[str, Any]) -> str:
    """The first machines, and how many more."""
    shown = [plain(machine["name"]) for machine in found["machines"][:MAX_LINES]]
    more = found["count"] - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _print_flows(title: str, sign: str, flows: Sequence[Mapping[str, Any]]) -> None:
    if not flows:
        return
    click.echo(f"\nFlows {title} ({len(flows)})")
    lines = [
        (f"{sign} {plain(flow['source']['name'])}", plain(flow["destination"]["name"]), _kind(flow))
        for flow in flows[:MAX_LINES]
    ]
    print_table(("  FROM", "TO", "WHAT"), lines)
    if len(flows) > MAX_LINES:
        click.echo(f"  and {len(flows) - MAX_LINES} more; --json has them all")


def _print_cut(plan: Mapping[str, Any]) -> None:
    counted = (plan.get("live_connections") or {}).get("state") == "counted"
    lines = [
        (
            f"  {plain(flow['source']['name'])}",
            plain(flow["destination"]["name"]),
            _kind(flow),
            str(flow["connections"]),
        )
        for flow in (plan["live_connections_cut"][:MAX_LINES] if counted else ())
    ]
    if lines:
        print_table(("  FROM", "TO", "WHAT", "OPEN"), lines)


def _cut(plan: Mapping[str, Any]) -> str:
    """What becomes of connections; older control planes know only where they could be."""
    count = plan.get("live_connections") or {}
    if count.get("state") != "counted":
        return f"connections on {_count(len(plan['live_connections_cut']), 'flow')} could be cut"
    silent = count["machines_asked"] - count["machines_answered"]
    least = "at least " if silent or not count["complete"] else ""
    text = f"{least}{_count(count['connections'], 'open connection')} will be cut"
    return f"{text}, {_count(silent, 'machine')} did not answer" if silent else text


def _kind(flow: Mapping[str, Any]) -> str:
    return "everything" if flow["protocol"] == "*" else f"{flow['protocol']}/{flow['ports']}"


def _value(value: Any) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else plain(value)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
