"""CSV for people, who open it in a spreadsheet."""

from typing import Any, Final

# What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection).
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def guarded(cell: Any) -> Any:
    """A cell that no spreadsheet runs: text that looks like a formula is kept from being one."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
