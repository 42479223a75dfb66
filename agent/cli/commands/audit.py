"""`ztna audit list`: the organization's trail, newest first, page by page."""

import csv
import json
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from agent.cli.context import Context
from agent.cli.output import note
from agent.errors import AgentError
from agent.state import Config
from wire.audit import row_hash

if TYPE_CHECKING:
    from agent.session import Session

PAGE = 200
COLUMNS = ("timestamp", "org_id", "user_id", "action", "resource_type", "resource_id", "ip_address")
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Of what is shown, what the hash covers under the same name.
_COVERED = ("id", "action", "resource_type", "resource_id", "user_id", "details", "ip_address", "user_agent")


@click.group("audit")
def command() -> None:
    """Who did what, and when."""


@command.command("list")
@click.option("--days", type=click.IntRange(1, 3650), default=7, show_default=True, help="How far back.")
@click.option("--format", "form", type=click.Choice(["json", "csv"]), default="json", show_default=True)
@click.option("--json", "form", flag_value="json", help="As --format json.")
@click.option("--action", metavar="NAME", help="Only this action; noun.* for all of a noun.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many entries.")
@click.option("--verify", is_flag=True, help="Check the hash chain; exit 1 if it is broken.")
@click.pass_obj
def list_entries(
    context: Context, days: int, form: str, action: str | None, limit: int | None, verify: bool
) -> None:
    """List entries of the audit trail, newest first."""
    write = _write_csv if form == "csv" else _write_json

    async def work(session: "Session", config: Config) -> int:
        rows = _rows(session, config, days=days, action=action, limit=limit, verify=verify)
        return await write(_verified(rows, linked=action is None) if verify else rows, str(config.org_id))

    count = context.as_person(work)
    if verify:
        note(f"{count} entries checked: the chain holds.")


async def _rows(
    session: "Session", config: Config, *, days: int, action: str | None, limit: int | None, verify: bool
) -> AsyncIterator[dict[str, Any]]:
    # Pages are counted from the newest entry: without an end, what is written meanwhile would shift them.
    until = datetime.now(UTC)
    asked = {
        "action": "search_audit_logs",
        "org_id": config.org_id,
        "page_size": min(PAGE, limit or PAGE),
        "date_from": (until - timedelta(days=days)).isoformat(),
        "date_to": until.isoformat(),
        "audit_action": action,
        "with_chain": verify,
    }
    page, given = 0, 0
    while True:
        answer = await session.call("POST", "/api/governance", {**asked, "page": page})
        for row in answer["logs"]:
            yield row
            given += 1
            if given == limit:
                return
        page += 1
        if page >= answer["total_pages"]:
            return


async def _verified(rows: AsyncIterator[dict[str, Any]], *, linked: bool) -> AsyncIterator[dict[str, Any]]:
    """The same rows while each is what was written, and (linked) none is missing between two of them."""
    newer: Mapping[str, Any] | None = None
    async for row in rows:
        chain = row.pop("chain")
        if row_hash(chain["prev_hash"], chain["canonical"]) != chain["hash"] or not _agrees(row, chain):
            raise AgentError("CHAIN_BROKEN", f"entry {row['id']} of {row['created_at']} was altered")
        if linked and newer and (newer["seq"], newer["prev_hash"]) != (chain["seq"] + 1, chain["hash"]):
            raise AgentError("CHAIN_BROKEN", f"an entry is missing after {row['id']} of {row['created_at']}")
        newer = chain
        yield row


def _agrees(row: Mapping[str, Any], chain: Mapping[str, Any]) -> bool:
    """Whether what is shown is what was hashed."""
    hashed = json.loads(chain["canonical"])
    moments = (datetime.fromisoformat(side["created_at"]) for side in (row, hashed))
    same_moment = abs(next(moments) - next(moments)) < timedelta(milliseconds=1)
    return (
        same_moment and hashed["seq"] == chain["seq"] and all(hashed[name] == row[name] for name in _COVERED)
    )


async def _write_json(rows: AsyncIterator[dict[str, Any]], org_id: str) -> int:
    """One array, written as it comes; how many entries."""
    count = 0
    async for row in rows:
        click.echo(("[\n" if count == 0 else ",\n") + json.dumps(row), nl=False)
        count += 1
    click.echo("\n]" if count else "[]")
    return count


async def _write_csv(rows: AsyncIterator[dict[str, Any]], org_id: str) -> int:
    """A table, its header in any case; how many entries."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    async for row in rows:
        cells = {"timestamp": row["created_at"], "org_id": org_id, **row}
        writer.writerow([_guarded(cells.get(name)) for name in COLUMNS])
        count += 1
    return count


def _guarded(cell: Any) -> str:
    """A cell that no spreadsheet runs."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
