"""The pipeline that every API call runs through, in the order that `Operation` documents.

route and method, address limit, size, credential, JSON, action, org_id, membership, role and scope,
caller's limit, fields; then the service behind `run` judges object and state.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.core import errors, idempotency, ratelimit
from apps.core.actors import Actor
from apps.core.api import access, registry
from apps.core.api.principals import Principal, authenticate, credential_of
from apps.core.api.rendering import field_error

PUBLIC = ratelimit.Limit(60, 60)
ORG_LIMIT = ratelimit.Limit(6000, 60)
STANDARD_BODY = 1024 * 1024
# Callers outside any organisation, and those whose credential names theirs.
KINDS = {"S": "user", "N": "machine", "R": "relay"}


@dataclass
class Call:
    """One authorised, validated call, as `run` receives it."""

    request: Request
    principal: Principal | None
    actor: Actor
    data: Mapping[str, Any]
    org: Any = None
    role: str | None = None
    path: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Answer:
    """What `run` returns when 200 and the bare data won't do."""

    data: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Callable[[Any], None] | None = None


@dataclass(frozen=True)
class Operation:
    """One declared call.

    who: letters of who may call: P anyone, S signed-in user, N machine by node key, R relay, and in
    an organisation M any member, U owner/admin/auditor, A owner/admin, O owner. "MN" is either.
    scope: what an API key needs (`machines:write`); None means `admin`.
    org_of: finds the org_id from the body when an id in it fixes the organisation; it raises
    MissingFields without that id and returns None for an unknown one. The service still has to load
    the object inside that organisation.
    """

    name: str
    who: str
    run: Callable[[Call], Any]
    serializer: type[serializers.Serializer] | None = None
    answer: type[serializers.Serializer] | None = None
    scope: str | None = None
    org_of: Callable[[Mapping[str, Any]], uuid.UUID | None] | None = None
    step_up: bool = False
    limit: ratelimit.Limit | None = None  # per address for P, per caller otherwise
    max_body: int = STANDARD_BODY
    raw: bool = False  # `run` gets the body as it came and judges it itself

    @property
    def in_org(self) -> bool:
        return bool(set(self.who) & set("MUAO"))


class ApiView(APIView):
    """Base of all API views: parses, authorises, calls, answers."""

    http_method_names = ["get", "head", "post", "patch", "put", "delete"]

    def perform_content_negotiation(self, request: Any, force: bool = False) -> tuple[Any, str]:
        """There is one form of answer, whatever the caller would accept."""
        renderer = self.renderer_classes[0]()
        return renderer, renderer.media_type

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        raise errors.MethodNotAllowed()

    def principal_of(self, request: Request) -> Principal | None:
        credential = credential_of(request.headers)
        return authenticate(credential, request.client_address) if credential else None

    def read_json(self, request: Request, limit: int) -> dict[str, Any]:
        """The body as an object; an empty body is an empty object."""
        django_request = request._request
        content_type = (django_request.content_type or "application/json").lower()
        raw = django_request.body
        if len(raw) > limit:
            raise errors.PayloadTooLarge()
        if not raw:
            return {}
        if content_type != "application/json":
            raise errors.UnsupportedMediaType()
        try:
            body = json.loads(raw, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            raise errors.InvalidJson() from None
        if not isinstance(body, dict):
            raise errors.InvalidJson("Request body must be a JSON object")
        if _holds_nul(body):
            raise errors.InvalidInput("Text must not hold the NUL character")
        return body

    def perform(
        self,
        request: Request,
        operation: Operation,
        principal: Principal | None,
        body: dict[str, Any],
        path: Any,
    ) -> HttpResponseBase:
        """Run one operation after the credential and the JSON have been read."""
        org_access = self._authorise(request, operation, principal, body)
        self._count(request, operation, principal, org_access)
        if operation.step_up:
            access.check_step_up(principal)
        data, ignored = _validate(operation, body)
        call = Call(
            request=request,
            principal=principal,
            actor=actor_of(request, principal, org_access.role if org_access else None),
            data=data,
            org=org_access.org if org_access else None,
            role=org_access.role if org_access else None,
            path=path,
        )
        answer = operation.run(call)
        response = answer if isinstance(answer, HttpResponseBase) else respond(answer)
        if ignored:
            # Field names come from the client: keep only what a header can hold.
            response["X-Ignored-Fields"] = ", ".join(name for name in ignored if name.isidentifier())[:500]
        return response

    def _authorise(
        self, request: Request, operation: Operation, principal: Principal | None, body: dict[str, Any]
    ) -> access.OrgAccess | None:
        if "P" in operation.who:
            return None
        if principal is None:
            raise errors.Unauthorized()
        if not operation.in_org and principal.kind != KINDS[operation.who]:
            raise errors.Forbidden("Not open to this kind of credential")
        # A person has no organisation here; a machine's and a relay's are fixed by their keys.
        if operation.who in KINDS:
            return None
        given = body.get("org_id") or request.query_params.get("org_id")
        if given or principal.org_id is not None:
            org_id = parse_id(str(given).removeprefix("eq."), "org_id") if given else principal.org_id
            org_access = access.org_access(principal, org_id)
        elif operation.org_of:
            org_access = self._access_by_object(principal, operation.org_of(body))
        else:
            raise errors.MissingFields("org_id required", field="org_id")
        access.check_role(principal, org_access, operation.who, operation.scope)
        return org_access

    def _access_by_object(self, principal: Principal, org_id: uuid.UUID | None) -> access.OrgAccess:
        """Access through an object's id; an object that is unknown and one that is foreign look alike."""
        try:
            if org_id is not None:
                return access.org_access(principal, org_id)
        except errors.Forbidden:
            pass
        raise errors.NotFound()

    def _count(
        self,
        request: Request,
        operation: Operation,
        principal: Principal | None,
        org_access: access.OrgAccess | None,
    ) -> None:
        if principal is None or "P" in operation.who:
            address = request.client_network
            ratelimit.hit(f"public:{operation.name}:{address}", operation.limit or PUBLIC)
            return
        ratelimit.hit(f"{principal.kind}:{principal.id}", ratelimit.Limit(principal.rate_per_minute, 60))
        if operation.limit:
            ratelimit.hit(f"{operation.name}:{principal.id}", operation.limit)
        if org_access and principal.kind != "machine":
            ratelimit.hit(f"org:{org_access.org.pk}", ORG_LIMIT)


class CallView(ApiView):
    """Calls at a path of their own: `calls` maps an HTTP method to its Operation."""

    path: str = ""
    calls: Mapping[str, Operation] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.path:
            registry.add_call_view(cls)

    def _dispatch(self, request: Request, **path: Any) -> HttpResponseBase:
        method = "GET" if request.method == "HEAD" else request.method
        operation = self.calls.get(method)
        if operation is None:
            raise errors.MethodNotAllowed()
        # An open call must work with a stale token in the header.
        principal = None if "P" in operation.who else self.principal_of(request)
        if principal is None and "P" not in operation.who:
            raise errors.Unauthorized()
        body = self.read_json(request, operation.max_body) if method != "GET" else request.query_params.dict()
        return idempotency.once(
            request, principal, body, lambda: self.perform(request, operation, principal, body, path)
        )

    get = head = post = patch = put = delete = _dispatch


class TopicView(ApiView):
    """`POST /api/<topic>` with `action`; the actions of a topic may come from several apps."""

    topic: str = ""

    def post(self, request: Request) -> HttpResponseBase:
        operations = registry.actions_of(self.topic)
        principal = self.principal_of(request)
        if principal is None and not any("P" in operation.who for operation in operations.values()):
            raise errors.Unauthorized()
        largest = max(operation.max_body for operation in operations.values())
        body = self.read_json(request, largest)
        action = body.get("action")
        if not action:
            raise errors.MissingFields("action required", field="action")
        operation = operations.get(action) if isinstance(action, str) else None
        if operation is None:
            successor = registry.successor_of(self.topic, str(action))
            hint = f"; use {successor}" if successor else ""
            raise errors.UnknownAction(f"Unknown action: {str(action)[:100]}{hint}")
        return idempotency.once(
            request, principal, body, lambda: self.perform(request, operation, principal, body, {})
        )


class ActionView:
    """Declares actions of a topic; subclassing registers them.

    topic: the last part of the path; aliases: further names of it; actions: the Operations;
    retired: names of actions that are gone, with what to use instead.
    """

    topic: str
    aliases: tuple[str, ...] = ()
    actions: tuple[Operation, ...] = ()
    retired: Mapping[str, str] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        registry.add_actions(cls.topic, cls.aliases, cls.actions)
        registry.add_retired(cls.topic, cls.retired)


def respond(answer: Any) -> Response:
    """A response from what `run` returned."""
    if not isinstance(answer, Answer):
        return Response(answer)
    response = Response(answer.data, status=answer.status, headers=dict(answer.headers))
    if answer.cookies:
        answer.cookies(response)
    return response


def actor_of(request: Request, principal: Principal | None, role: str | None) -> Actor:
    """The caller as services and audit rows see it."""
    django_request = request._request
    origin = {
        "ip_address": django_request.client_address,
        "user_agent": request.headers.get("User-Agent", ""),
        "request_id": django_request.request_id,
    }
    if principal is None:
        return Actor(kind="user", **{**origin, "user_agent": origin["user_agent"][:200]})
    return principal.actor(**origin, role=role)


def parse_id(value: Any, name: str) -> uuid.UUID:
    """A UUID from a body; raises InvalidInput."""
    try:
        return uuid.UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise errors.InvalidInput(f"{name}: must be a UUID", field=name) from None


def _validate(operation: Operation, body: dict[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    known = {"action", "org_id"}
    if operation.raw:
        return body, []
    if operation.serializer is None:
        return {}, sorted(set(body) - known)
    serializer = operation.serializer(data=body)
    if not serializer.is_valid():
        raise field_error(serializers.ValidationError(serializer.errors).get_full_details())
    names = known | set(serializer.fields)
    return serializer.validated_data, sorted(set(body) - names)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _holds_nul(value: Any) -> bool:
    """PostgreSQL can't store U+0000; refuse it once, for every field."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))
