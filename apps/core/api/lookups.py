"""Database lookups that mean the same on PostgreSQL and SQLite."""

import json
import re
from typing import Any

from django.db.models import CharField, JSONField, Lookup, TextField


def _like_pattern(text: str) -> str:
    """`*` and `%` stand for any text; every other character for itself."""
    escaped = re.sub(r"([\\_])", r"\\\1", text)
    return re.sub(r"[*%]+", "%", escaped)


def _glob_pattern(text: str) -> str:
    return re.sub(r"[*%]+", "*", re.sub(r"([\[?])", r"[\1]", text))


@CharField.register_lookup
@TextField.register_lookup
class Like(Lookup):
    """Case counts."""

    lookup_name = "wild"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, params = self.process_lhs(compiler, connection)
        return f"{left} LIKE %s ESCAPE '\\'", [*params, _like_pattern(self.rhs)]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, params = self.process_lhs(compiler, connection)
        return f"{left} GLOB %s", [*params, _glob_pattern(self.rhs)]


@CharField.register_lookup
@TextField.register_lookup
class ILike(Lookup):
    """Case does not count."""

    lookup_name = "iwild"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, params = self.process_lhs(compiler, connection)
        return f"UPPER({left}) LIKE UPPER(%s) ESCAPE '\\'", [*params, _like_pattern(self.rhs)]


@JSONField.register_lookup
class HasItem(Lookup):
    """A JSON list contains one text or number."""

    lookup_name = "has_item"
    prepare_rhs = False

    def get_db_prep_lookup(self, value: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [value]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, params = self.process_lhs(compiler, connection)
        return f"{left} @> %s::jsonb", [*params, json.dumps([self.rhs])]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, params = self.process_lhs(compiler, connection)
        # `left` is a column name that the compiler quoted, never text of a client.
        found = f"EXISTS (SELECT 1 FROM json_each({left}) WHERE json_each.value = %s)"  # noqa: S608
        return found, [*params, self.rhs]
