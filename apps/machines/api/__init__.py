"""Endpoints of this app; importing a module declares what it holds."""

from apps.machines.api import admin, authkeys, enrolment, node, tables, tagowners  # noqa: F401
