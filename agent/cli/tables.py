"""Tables of the control plane, as commands read them."""

import contextlib
import ipaddress
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from agent.state import Config

if TYPE_CHECKING:
    from agent.session import Session

_PAGE = 1000


async def read_table(session: "Session", config: Config, table: str, **query: str) -> list[dict[str, Any]]:
    """All rows of the organization that the query leaves."""
    rows: list[dict[str, Any]] = []
    while True:
        asked = {"org_id": str(config.org_id), "limit": str(_PAGE), "offset": str(len(rows)), **query}
        page = await session.call("GET", f"/api/db/{table}", query=asked)
        rows += page
        if len(page) < _PAGE:
            return rows


async def find_machine(
    session: "Session", config: Config, wanted: str, *, select: str
) -> dict[str, Any] | None:
    """The machine of that name (short or full), tailnet address or id, in any case; None without one."""
    for column, test in _ways(wanted.strip()):
        asked = {"org_id": str(config.org_id), "select": f"{select},magicdns_name", column: test}
        rows: list[dict[str, Any]] = await session.call("GET", "/api/db/machines", query=asked)
        for row in rows:
            if "." not in wanted or column != "name" or row["magicdns_name"] == wanted.casefold():
                return row
    return None


def _ways(wanted: str) -> Iterator[tuple[str, str]]:
    """(column, filter) of what a text may mean."""
    with contextlib.suppress(ValueError):
        yield "id", f"eq.{uuid.UUID(wanted)}"
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(wanted)
        yield "tailnet_ip" if address.version == 4 else "tailnet_ipv6", f"eq.{address}"
    label = wanted.partition(".")[0]
    if label.replace("-", "").isalnum():
        yield "name", f"ilike.{label}"


async def machine_names(session: "Session", config: Config) -> dict[str, str]:
    """Names of machines by id."""
    rows = await read_table(session, config, "machines", select="id,name", order="id.asc")
    return {row["id"]: row["name"] for row in rows}
