"""Every call of this app; importing a module declares its calls."""

from apps.orgs.api import invitations, management, members, rpc, tables  # noqa: F401
