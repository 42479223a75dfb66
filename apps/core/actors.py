"""Who does something: handed to every service, written into every audit row."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """kind is user, api_key, machine, job or operator; id names the user, key or machine."""

    kind: str
    id: uuid.UUID | None = None
    name: str = ""
    email: str = ""
    role: str | None = None  # the user's role in the organisation of this call
    session_id: uuid.UUID | None = None
    ip_address: str | None = None
    user_agent: str = ""
    request_id: str = ""

    @classmethod
    def job(cls, name: str) -> "Actor":
        """A background job; audit shows it as system:<name>."""
        return cls(kind="job", name=f"system:{name}")

    @property
    def user_id(self) -> uuid.UUID | None:
        return self.id if self.kind == "user" else None

    @property
    def is_admin(self) -> bool:
        """True for owners, administrators and API keys, which act as one within their scopes."""
        return self.kind in ("api_key", "job", "operator") or self.role in ("owner", "admin")
