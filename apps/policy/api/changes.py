"""A change of policy as it is asked for: documents of rows, checked column by column."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.errors import MissingFields, UnknownField, ValidationFailed
from apps.policy.api.writes import IGNORED, SHORT, AbacWrite, RuleWrite
from apps.policy.services.plans import TableChanges, Wanted

MAX_ROWS = 1000
TABLES = {"acl_rules": RuleWrite, "abac_policies": AbacWrite}
SETTINGS = ("default_deny",)


def wanted_of(document: Mapping[str, Any]) -> Wanted:
    """A change as it was asked for, checked column by column; raises ValidationFailed, UnknownField."""
    for name in document:
        if name not in TABLES and name != "settings":
            raise ValidationFailed(f"changes: {name} cannot be planned", field=name)
    settings = document.get("settings") or {}
    if not isinstance(settings, dict) or not all(isinstance(value, bool) for value in settings.values()):
        raise ValidationFailed("settings: must hold switches", field="settings")
    for name in settings:
        if name not in SETTINGS:
            raise UnknownField(f"settings: {name} cannot be planned", field=name)
    rules, attributes = (_table(name, document.get(name) or {}) for name in TABLES)
    return Wanted(rules, attributes, settings)


def _table(table: str, document: Any) -> TableChanges:
    if not isinstance(document, dict) or set(document) - {"create", "update", "delete"}:
        raise ValidationFailed(f"{table}: must hold create, update and delete", field=table)
    lists = [document.get(verb) or [] for verb in ("create", "update", "delete")]
    if not all(isinstance(entries, list) for entries in lists) or sum(map(len, lists)) > MAX_ROWS:
        raise ValidationFailed(f"{table}: lists of at most {MAX_ROWS} rows", field=table)
    create, update, delete = lists
    changed = []
    for row in update:
        if not isinstance(row, dict) or "id" not in row:
            raise MissingFields(f"{table}: update needs an id", field="id")
        values = {name: value for name, value in row.items() if name != "id"}
        changed.append((_id(row["id"]), _columns(table, values, partial=True)))
    made = [{**_columns(table, row, partial=False)} for row in create]
    for values in made:
        values.pop("revision", None)
    return TableChanges(made, changed, [_id(row_id) for row_id in delete])


def _columns(table: str, row: Any, *, partial: bool) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise ValidationFailed(f"{table}: a row must be an object", field=table)
    serializer = TABLES[table]
    known = {*serializer().fields, *(SHORT if table == "acl_rules" else ()), *IGNORED}
    read_only = {"id", "org_id", "created_at", "created_by", "updated_at"}
    for name in row:
        if name not in known | read_only:
            raise UnknownField(f"{table}: no column {name}", field=name)
    values = {name: value for name, value in row.items() if name not in read_only}
    parsed = serializer(data=values, partial=partial)
    parsed.is_valid(raise_exception=True)
    return parsed.validated_data


def _id(value: Any) -> Any:
    return serializers.UUIDField().run_validation(value)
