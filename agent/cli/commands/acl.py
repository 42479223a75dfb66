"""`ztna acl`: rules, questions about them, and changes that are looked at before they are made."""

import sys
from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.durations import DURATION
from agent.cli.output import json_option, note, plain, print_json, style
from agent.cli.plantext import has_changes, holds, print_plan, rule_line
from agent.cli.tables import find_machine, machine_names, read_table
from agent.errors import EXIT_FAILED, AgentError
from agent.state import Config

if TYPE_CHECKING:
    from agent.session import Session

EXIT_CHANGES = 2
ENFORCED_SECONDS, COUNTED_SECONDS = 5.0, 3.0
_POLL_SECONDS = 0.25
_COLUMN_OF = {"src": "source", "dst": "destination", "proto": "protocol"}


@click.group("acl")
def command() -> None:
    """Rules of access: what they are, what they decide, what a change would mean."""


@command.command("list")
@json_option
@click.pass_obj
def list_rules(context: Context, as_json: bool) -> None:
    """List rules in the order in which they are evaluated."""
    if as_json:
        rows = context.as_person(_rules)
        print_json([row | {short: row[name] for short, name in _COLUMN_OF.items()} for row in rows])
        return
    rows = context.as_person(_named_rules)
    if not rows:
        click.echo(f"No ACL rules configured. Add them at {context.api_url()}/acls")
        return
    click.echo(f"ACL Rules ({len(rows)}):")
    for number, row in enumerate(rows, start=1):
        off = "" if row["enabled"] else style(" (disabled)", dim=True)
        click.echo(f"{number:>4}. {plain(row['name'])}{off}\n      {rule_line(row)}")


@command.command("test")
@click.option("--src", required=True, metavar="MACHINE", help="Source machine, by name or id.")
@click.option("--dst", required=True, metavar="MACHINE", help="Destination machine, by name or id.")
@click.option("--port", required=True, type=click.IntRange(1, 65535))
@click.option("--proto", type=click.Choice(["tcp", "udp", "icmp", "*"]), default="*", show_default=True)
@click.option("--at", metavar="TIME", help="Ask about another moment (RFC 3339).")
@click.option("--country", metavar="CC", help="Ask about another source country.")
@click.option("--exit-code", is_flag=True, help="Exit 1 when the flow is denied.")
@json_option
@click.pass_obj
def try_flow(context: Context, /, as_json: bool, exit_code: bool, src: str, dst: str, **asked: Any) -> None:
    """Tell whether a flow is allowed, and why."""

    async def ask(session: "Session", config: Config) -> dict[str, Any]:
        wanted = {"port": asked["port"], "protocol": asked["proto"]}
        for name, column in (("at", "at"), ("country", "source_country")):
            if asked[name]:
                wanted[column] = asked[name]
        for end, name in (("source", src), ("destination", dst)):
            wanted[f"{end}_machine_id"] = await _machine_id(session, config, end, name)
        found: dict[str, Any] = await session.call(
            "POST", "/api/acl-evaluate", {"org_id": config.org_id, **wanted}
        )
        return found

    found = context.as_person(ask)
    if as_json:
        print_json(found)
    else:
        _print_verdict(found, f"{asked['port']}/{asked['proto']}")
    if exit_code and not found["allowed"]:
        sys.exit(EXIT_FAILED)


@command.command()
@click.pass_obj
def export(context: Context) -> None:
    """Print the present rules as a policy file."""
    from agent.cli.policyfile import written

    click.echo(written(context.as_person(_named_rules)), nl=False)


@command.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--note", "text", help="Why, for those who review it.")
@click.option("--exit-code", is_flag=True, help=f"Exit {EXIT_CHANGES} when the plan changes rules.")
@json_option
@click.pass_obj
def plan(context: Context, file: Any, text: str | None, exit_code: bool, as_json: bool) -> None:
    """Show what a policy FILE (YAML) would change, and change nothing.

    Exits 1 when a check fails: a test of the policy, or that administrators still reach the network.
    """
    made, rows = _make(context, file, text)
    print_json(made) if as_json else print_plan(made, rows)
    if not holds(made):
        sys.exit(EXIT_FAILED)
    if exit_code and has_changes(made):
        sys.exit(EXIT_CHANGES)


@command.command()
@click.argument("file", type=click.File("r", encoding="utf-8"), required=False)
@click.option("--plan", "plan_id", metavar="ID", help="Apply a plan that was made before.")
@click.option("--note", "text", help="Why, for those who review it.")
@click.option("--confirm-within", type=DURATION, metavar="TIME", help="Roll back unless confirmed in time.")
@click.option("--force", is_flag=True, help="Even if a check fails and your role allows that.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def apply(
    context: Context,
    /,
    file: Any,
    plan_id: str | None,
    text: str | None,
    yes: bool,
    as_json: bool,
    **how: Any,
) -> None:
    """Make the rules those of a policy FILE, or apply a plan."""
    if (file is None) == (plan_id is None):
        raise AgentError("INVALID_INPUT", "give a policy file, or --plan ID")
    if plan_id is None:
        made, rows = _make(context, file, text)
    else:
        made, rows = _known_plan(context, plan_id)
    if not as_json:
        print_plan(made, rows)
    if plan_id is None and not has_changes(made):
        print_json({**made, "applied": False}) if as_json else click.echo("Nothing to apply.")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise AgentError("CONFIRMATION_REQUIRED", "nobody can be asked here; use --yes")
        click.confirm("Apply?", abort=True, err=True)
    wanted = {"plan_id": made["plan_id"], "force": how["force"]}
    if how["confirm_within"]:
        wanted["confirm_within_seconds"] = int(how["confirm_within"])
    applied = _act(context, "apply", **wanted)
    enforced = _enforced(context, applied["policy_version"])
    if as_json:
        print_json({**applied, "applied": True, "enforcement": enforced})
        return
    click.echo(f"Applied as policy version {applied['policy_version']}.")
    if enforced["agents_total"]:
        share = f"{enforced['acknowledged']} of {enforced['agents_total']} machines"
        click.echo(f"Enforced on {share}, p99 {enforced['p99_ms'] or '-'} ms.")
    if applied["confirm_by"]:
        note(f"Rolled back at {applied['confirm_by']} unless 'ztna acl confirm {applied['plan_id']}' is run")


@command.command()
@click.argument("plan_id")
@json_option
@click.pass_obj
def confirm(context: Context, plan_id: str, as_json: bool) -> None:
    """Keep a change that was applied on trial."""
    found = _act(context, "confirm", plan_id=plan_id)
    print_json(found) if as_json else click.echo("Confirmed.")


@command.command()
@click.argument("plan_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def rollback(context: Context, plan_id: str, yes: bool, as_json: bool) -> None:
    """Take an applied plan back."""
    if not yes:
        if not sys.stdin.isatty():
            raise AgentError("CONFIRMATION_REQUIRED", "nobody can be asked here; use --yes")
        click.confirm("Take this change back?", abort=True, err=True)
    found = _act(context, "rollback", plan_id=plan_id)
    print_json(found) if as_json else click.echo("Rolled back.")


async def _rules(session: "Session", config: Config) -> list[dict[str, Any]]:
    """As they are kept: machines by id."""
    return await read_table(session, config, "acl_rules", order="priority.asc,created_at.asc,id.asc")


async def _named_rules(session: "Session", config: Config) -> list[dict[str, Any]]:
    """As people write them: machines by name."""
    from agent.cli.policyfile import named

    return named(await _rules(session, config), await machine_names(session, config))


def _make(context: Context, file: Any, text: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the plan, present rules by id)."""
    from agent.cli.policyfile import MAX_BYTES, changes, named, parse

    try:
        rules, settings = parse(file.read(MAX_BYTES + 1))
    except UnicodeDecodeError:
        raise AgentError("INVALID_POLICY", "policy file: not UTF-8 text") from None

    async def work(session: "Session", config: Config) -> tuple[dict[str, Any], dict[str, Any]]:
        machines = await machine_names(session, config)
        rows = named(await _rules(session, config), machines)
        asked = {"action": "get_settings", "org_id": config.org_id}
        present = await session.call("POST", "/api/org-management", asked)
        moved = {name: value for name, value in settings.items() if present.get(name) != value}
        wanted = {"changes": changes(named(rules, machines), moved, rows), "note": text}
        made = await _counted(session, config, await _policy(session, config, "plan", **wanted))
        return made, {row["id"]: row for row in rows}

    return context.as_person(work)


async def _counted(session: "Session", config: Config, made: dict[str, Any]) -> dict[str, Any]:
    """A plan once the machines have said which open connections it cuts; it waits for them, for a while."""
    import asyncio

    deadline = asyncio.get_running_loop().time() + COUNTED_SECONDS
    while made.get("live_connections", {}).get("state") == "asking":
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(_POLL_SECONDS)
        made = await _policy(session, config, "get_plan", plan_id=made["plan_id"])
    return made


def _known_plan(context: Context, plan_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    async def work(session: "Session", config: Config) -> tuple[dict[str, Any], dict[str, Any]]:
        made = await _policy(session, config, "get_plan", plan_id=plan_id)
        return made, {row["id"]: row for row in await _named_rules(session, config)}

    return context.as_person(work)


def _act(context: Context, action: str, **fields: Any) -> dict[str, Any]:
    async def work(session: "Session", config: Config) -> dict[str, Any]:
        return await _policy(session, config, action, **fields)

    return context.as_person(work)


def _enforced(context: Context, version: int) -> dict[str, Any]:
    """How far a version has come: waits until nobody is pending, for a while."""
    import asyncio

    async def work(session: "Session", config: Config) -> dict[str, Any]:
        deadline = asyncio.get_running_loop().time() + ENFORCED_SECONDS
        while True:
            found = await _policy(session, config, "enforcement", policy_version=version)
            if not found["pending"] or asyncio.get_running_loop().time() > deadline:
                return found
            await asyncio.sleep(_POLL_SECONDS)

    return context.as_person(work)


async def _policy(session: "Session", config: Config, action: str, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = await session.call(
        "POST", "/api/policy", {"action": action, "org_id": config.org_id, **fields}
    )
    return found


async def _machine_id(session: "Session", config: Config, end: str, wanted: str) -> str:
    """Of a machine; AgentError names the end that cannot be resolved."""
    row = await find_machine(session, config, wanted, select="id")
    if row is None:
        raise AgentError("NOT_FOUND", f"cannot resolve {end} {wanted!r}")
    return str(row["id"])


def _print_verdict(found: dict[str, Any], what: str) -> None:
    word, colour = ("ALLOWED", "green") if found["allowed"] else ("DENIED", "red")
    ends = f"{plain(found['source']['name'])} -> {plain(found['destination']['name'])}"
    click.echo(f"{style(word, fg=colour, bold=True)}: {ends}:{what}")
    if found["matched_rule"]:
        verb = "Matched" if found["allowed"] else "Denied by"
        click.echo(f"{verb} rule: {plain(found['rule_name'])}")
    else:
        click.echo(f"{plain(found['message'])}, default {'allow' if found['allowed'] else 'deny'}")
    for name, outcome in found["evaluated_conditions"].items():
        mark = style("✓", fg="green") if outcome["met"] else style("✗", fg="red")
        click.echo(
            f"  {mark} {plain(name):<14}{plain(outcome['actual'])} (asked: {plain(outcome['expected'])})"
        )
    if not found["allowed"] and found["closest_rule"]:
        click.echo(f"Closest rule: {plain(found['closest_rule']['name'])}")
