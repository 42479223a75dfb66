"""The database itself refuses to change or remove a row of the trail."""

from typing import Any

MESSAGE = "audit_logs is append-only"

SQLITE = tuple(
    f"CREATE TRIGGER IF NOT EXISTS audit_logs_no_{verb.lower()} BEFORE {verb} ON audit_logs "
    f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    for verb in ("UPDATE", "DELETE")
)
POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION audit_logs_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$",
    "CREATE TRIGGER audit_logs_no_change BEFORE UPDATE OR DELETE ON audit_logs "
    "FOR EACH ROW EXECUTE FUNCTION audit_logs_refuse()",
    "CREATE TRIGGER audit_logs_no_truncate BEFORE TRUNCATE ON audit_logs "
    "FOR EACH STATEMENT EXECUTE FUNCTION audit_logs_refuse()",
)
DROPS = {
    "sqlite": ("DROP TRIGGER IF EXISTS audit_logs_no_update", "DROP TRIGGER IF EXISTS audit_logs_no_delete"),
    "postgresql": (
        "DROP TRIGGER IF EXISTS audit_logs_no_change ON audit_logs",
        "DROP TRIGGER IF EXISTS audit_logs_no_truncate ON audit_logs",
    ),
}


def install(connection: Any) -> None:
    """Put the triggers up."""
    _run(connection, {"sqlite": SQLITE, "postgresql": POSTGRESQL}[connection.vendor])


def remove(connection: Any) -> None:
    """Take them down: for a migration backwards, and for emptying a test database."""
    _run(connection, DROPS[connection.vendor])


def _run(connection: Any, statements: tuple[str, ...]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
