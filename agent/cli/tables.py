"""Tables of the control plane, as commands read them."""

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


async def machine_names(session: "Session", config: Config) -> dict[str, str]:
    """Names of machines by id."""
    rows = await read_table(session, config, "machines", select="id,name", order="id.asc")
    return {row["id"]: row["name"] for row in rows}
