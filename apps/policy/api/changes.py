"""A change of what decides access as it is asked for: documents of rows, checked column by column."""

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from rest_framework import serializers

from apps.core.api.access import ROLES, check_scope
from apps.core.api.views import Call
from apps.core.errors import FieldNotWritable, FourEyesRequired, MissingFields, UnknownField, ValidationFailed
from apps.orgs.api.management import OWNER_ONLY
from apps.orgs.planning import PLANNED_SETTINGS, SETTINGS_SCOPE, PlanTable, planned_tables
from apps.policy.services.groupstages import TABLE as GROUPS
from apps.policy.services.groupstages import tables_naming
from apps.policy.services.plans import make_plan
from apps.policy.services.staging import TableChanges, Wanted

MAX_ROWS = 1000
READ_ONLY = frozenset({"id", "org_id", "created_at", "created_by", "updated_at"})
# What plans are meant to change one day; until then it is said that they can't.
TO_COME = ("firewall_rules",)


def keep_for_approval(call: Call, document: Mapping[str, Any]) -> NoReturn:
    """Keep a change as a plan; raises FourEyesRequired with its id, or what is wrong with the change."""
    plan = make_plan(org=call.org, actor=call.actor, wanted=wanted_of(document), document=document)
    raise FourEyesRequired("A second administrator has to approve this change", plan_id=plan.pk)


def require_scopes(call: Call, names: Iterable[str]) -> None:
    """A plan is no way around what an API key may write: tables, or `settings`; raises InsufficientScope."""
    if call.principal.kind != "api_key":
        return
    known = planned_tables()
    for scope in sorted({known[name].scope if name in known else SETTINGS_SCOPE for name in names}):
        check_scope(call.principal, scope)


def refuse_beyond(call: Call, document: Mapping[str, Any]) -> None:
    """A plan is no way around who may change what; raises FieldNotWritable, InsufficientScope."""
    refuse_settings(call, document.get("settings") or ())
    require_scopes(call, tables_of(call.org, document))


def refuse_settings(call: Call, names: Iterable[str]) -> None:
    """Raise FieldNotWritable if only an owner may change one of these settings and the caller is none."""
    refused = sorted(OWNER_ONLY & set(names))
    if refused and call.role not in ROLES["O"]:
        raise FieldNotWritable("Only owners can change this", fields=refused)


def tables_of(org: Any, document: Mapping[str, Any]) -> set[str]:
    """What a document changes: its tables, `settings`, and tables that name a group which goes by force."""
    rows = (document.get(GROUPS) or {}).get("delete") or ()
    going = [_leaving(planned_tables()[GROUPS], row) for row in rows]
    forced = [row_id for row_id, force in going if force]
    return {*document, *(table.table for table in tables_naming(org, forced))}


def tables_undone(org: Any, entries: Iterable[Mapping[str, Any]]) -> set[str]:
    """What taking back these changes of revisions changes; a group that was made goes again, by force."""
    entries = list(entries)
    going = [entry["id"] for entry in entries if entry["table"] == GROUPS and entry["before"] is None]
    return {*(entry["table"] for entry in entries), *(table.table for table in tables_naming(org, going))}


def wanted_of(document: Mapping[str, Any]) -> Wanted:
    """A change as it was asked for, checked column by column; raises ValidationFailed, UnknownField."""
    known = planned_tables()
    for name in document:
        if name in TO_COME:
            raise ValidationFailed(f"changes: {name} cannot be planned yet: there are none", field=name)
        if name not in known and name != "settings":
            raise ValidationFailed(f"changes: {name[:64]} cannot be planned", field=name[:64])
    settings = _settings(document.get("settings") or {})
    return Wanted(
        {name: _table(known[name], rows or {}) for name, rows in document.items() if name in known}, settings
    )


def _settings(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise ValidationFailed("settings: must be an object", field="settings")
    for name, value in document.items():
        if name not in PLANNED_SETTINGS:
            raise UnknownField(f"settings: {name[:64]} cannot be planned", field=name[:64])
        allowed = PLANNED_SETTINGS[name]
        if type(value) is not type(allowed[0]) or value not in allowed:
            told = ", ".join(str(each).lower() for each in allowed)
            raise ValidationFailed(f"settings: {name} must be one of {told}", field=name)
    return document


def _table(table: PlanTable, document: Any) -> TableChanges:
    name = table.table
    if not isinstance(document, dict) or set(document) - {"create", "update", "delete"}:
        raise ValidationFailed(f"{name}: must hold create, update and delete", field=name)
    lists = [document.get(verb) or [] for verb in ("create", "update", "delete")]
    if not all(isinstance(entries, list) for entries in lists) or sum(map(len, lists)) > MAX_ROWS:
        raise ValidationFailed(f"{name}: lists of at most {MAX_ROWS} rows", field=name)
    create, update, delete = lists
    changed = []
    for row in update:
        if not isinstance(row, dict) or "id" not in row:
            raise MissingFields(f"{name}: update needs an id", field="id")
        values = {column: value for column, value in row.items() if column != "id"}
        changed.append((_id(row["id"]), _columns(table, values, partial=True)))
    made = [_columns(table, row, partial=False) for row in create]
    return TableChanges(made, changed, [_leaving(table, entry) for entry in delete])


def _leaving(table: PlanTable, entry: Any) -> tuple[Any, bool]:
    """(id, whether what names the row is no reason to keep it): an id, or {id, force}."""
    if not isinstance(entry, dict):
        return _id(entry), False
    if set(entry) - {"id", "force"} or "id" not in entry or entry.get("force") not in (True, False, None):
        raise ValidationFailed(f"{table.table}: delete takes ids, or {{id, force}}", field="delete")
    return _id(entry["id"]), entry.get("force") is True


def _columns(table: PlanTable, row: Any, *, partial: bool) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise ValidationFailed(f"{table.table}: a row must be an object", field=table.table)
    known = {*table.serializer().fields, *table.takes, *READ_ONLY}
    for name in row:
        if name not in known:
            raise UnknownField(f"{table.table}: no column {name[:64]}", field=name[:64])
    values = {name: value for name, value in row.items() if name not in READ_ONLY}
    parsed = table.serializer(data=values, partial=partial)
    parsed.is_valid(raise_exception=True)
    return parsed.validated_data


def _id(value: Any) -> Any:
    return serializers.UUIDField().run_validation(value)
