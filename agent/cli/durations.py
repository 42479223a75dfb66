"""Durations as Go spells them: 300ms, 3s, 5m, 1h30m; a bare number is seconds."""

import re
from typing import Any

import click

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType[float]):
    """Seconds as a float."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail naming the option."""
        if isinstance(value, (int, float)):
            return float(value)
        text = str(value).strip()
        if text.isdigit():
            return float(text)
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            self.fail(f"{value!r} is not a duration such as 300ms, 3s or 1h30m", param, ctx)
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)


DURATION = Duration()
