"""Calls on behalf of a signed-in person: the access token is renewed silently, once."""

from collections.abc import Mapping
from typing import Any

from agent.errors import AgentError, not_authenticated
from agent.io.control import ApiError, ControlClient
from agent.state import Store, Tokens

_EXPIRED = {"UNAUTHORIZED", "INVALID_TOKEN", "TOKEN_EXPIRED"}


class Session:
    """A person's access to one control plane."""

    def __init__(self, store: Store, client: ControlClient) -> None:
        self._store, self._client = store, client

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """`data` of the answer; AgentError when nobody is signed in or the session has ended."""
        try:
            return await self._call(method, path, body, query)
        except ApiError as error:
            if error.code != "FORBIDDEN" or not error.message.endswith(" required"):
                raise
            raise AgentError(error.code, f"{error.message} (your role: {await self._role()})") from None

    async def _role(self) -> str:
        org_id = self._store.config().org_id
        try:
            rows = await self._call("GET", "/api/user-orgs", None, None)
        except AgentError:  # the refusal is what counts
            return "unknown"
        return next((str(row["role"]) for row in rows if row["id"] == org_id), "none")

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None, query: Mapping[str, str] | None
    ) -> Any:
        tokens = self._store.tokens()
        if tokens is None:
            raise not_authenticated()
        try:
            return await self._client.call(method, path, body, token=tokens.access_token, query=query)
        except ApiError as error:
            if error.status != 401 or error.code not in _EXPIRED:
                raise
        tokens = await self._refresh(tokens)
        return await self._client.call(method, path, body, token=tokens.access_token, query=query)

    async def end(self) -> None:
        """Revoke the session at the control plane."""
        tokens = self._store.tokens()
        if tokens is not None and tokens.refresh_token:
            await self.call("POST", "/api/auth/logout", {"refresh_token": tokens.refresh_token})

    async def _refresh(self, tokens: Tokens) -> Tokens:
        if not tokens.refresh_token:
            raise not_authenticated()
        try:
            pair = await self._client.call(
                "POST", "/api/auth/refresh", {"refresh_token": tokens.refresh_token}
            )
        except ApiError as error:
            if error.status == 401:
                raise not_authenticated() from None
            raise
        renewed = Tokens(str(pair["access_token"]), str(pair["refresh_token"]))
        self._store.save(renewed)
        return renewed
