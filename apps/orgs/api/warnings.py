"""What rows that decide access name and nothing has, as readers are told."""

from typing import Any


def tell_warnings(rows: list[dict[str, Any]]) -> None:
    """Rendered rows whose `warnings` hold the members that name nothing."""
    for row in rows:
        if "warnings" in row:
            row["warnings"] = [f"{member} names nothing" for member in row["warnings"]]
