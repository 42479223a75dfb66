"""One renderer that writes the envelope and one handler that maps every failure onto it."""

import base64
import json
import logging
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.core.cache import InvalidCacheBackendError
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, JsonResponse
from redis.exceptions import RedisError
from rest_framework import exceptions as drf
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response

from apps.core import errors
from apps.core.clock import rfc3339

logger = logging.getLogger("quickztna.api")
ABSENT = frozenset({"required", "null", "blank", "empty"})


class WireEncoder(json.JSONEncoder):
    """Times in RFC 3339 with ms, ids lower case, bytes in base64."""

    def default(self, o: Any) -> Any:
        if isinstance(o, datetime):
            return rfc3339(o)
        if isinstance(o, date):
            return o.isoformat()
        if isinstance(o, uuid.UUID):
            return str(o)
        if isinstance(o, bytes | bytearray | memoryview):
            return base64.b64encode(bytes(o)).decode()
        if isinstance(o, Decimal):
            return float(o)
        if isinstance(o, set | frozenset):
            return sorted(o)
        return super().default(o)


class EnvelopeRenderer(BaseRenderer):
    """{success, data, error}, always the three keys."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        envelope = data if isinstance(data, Failure) else {"success": True, "data": data, "error": None}
        return json.dumps(envelope, cls=WireEncoder, ensure_ascii=False, separators=(",", ":")).encode()


class Failure(dict):
    """The envelope of an error."""

    def __init__(self, error: errors.ApiError) -> None:
        body = {"code": error.code, "message": error.message, **error.extra}
        super().__init__(success=False, data=None, error=body)


def failure_response(error: errors.ApiError) -> JsonResponse:
    """An error as a Django response, for middleware and views outside the API."""
    response = JsonResponse(Failure(error), encoder=WireEncoder, status=error.status)
    _add_retry_after(response, error)
    return response


def handle_exception(exc: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler."""
    request = context.get("request")
    error = as_api_error(exc)
    if isinstance(error, errors.InternalError):
        request_id = getattr(request, "request_id", "")
        logger.error("unhandled error", exc_info=exc, extra={"request_id": request_id})
        error = errors.InternalError(request_id=request_id)
    response = Response(Failure(error), status=error.status)
    _add_retry_after(response, error)
    if headers := getattr(exc, "headers", None):
        for name, value in headers.items():
            response[name] = value
    return response


def _add_retry_after(response: Any, error: errors.ApiError) -> None:
    if "retry_after" in error.extra:
        response["Retry-After"] = str(error.extra["retry_after"])


def as_api_error(exc: Exception) -> errors.ApiError:
    """The failure that an exception stands for; InternalError for the unexpected."""
    match exc:
        case errors.ApiError():
            return exc
        case drf.ValidationError():
            return field_error(exc.get_full_details())
        case DjangoValidationError():
            messages = getattr(exc, "message_dict", None) or {"": exc.messages}
            field, problems = next(iter(messages.items()))
            return errors.InvalidInput(problems[0], **({"field": field} if field else {}))
        case Http404() | drf.NotFound():
            return errors.NotFound()
        case PermissionDenied() | drf.PermissionDenied():
            return errors.Forbidden()
        case drf.MethodNotAllowed():
            return errors.MethodNotAllowed()
        case RequestDataTooBig():
            return errors.PayloadTooLarge()
        case IntegrityError():
            return _constraint_error(exc)
        case OperationalError() | InterfaceError() | RedisError() | InvalidCacheBackendError():
            logger.error("a service is down", exc_info=exc)
            return errors.ServiceUnavailable()
        case _:
            return errors.InternalError()


def _constraint_error(exc: IntegrityError) -> errors.ApiError:
    """A uniqueness rule is CONFLICT; any other constraint is a fault of ours."""
    text = str(exc)
    if "UNIQUE" in text or "unique" in text:
        column = text.rpartition(".")[2] if "UNIQUE constraint failed" in text else ""
        field = column if column.isidentifier() else _field_in_detail(text)
        return errors.Conflict(**({"field": field} if field else {}))
    return errors.InternalError()


def _field_in_detail(text: str) -> str:
    """PostgreSQL names the columns: `Key (org_id, lower(name))=(...) already exists`."""
    inside = text.partition("Key (")[2].partition(")=")[0]
    last = inside.rpartition(",")[2].strip()
    return last.replace("lower(", "").replace("::text", "").strip("()") if inside else ""


def field_error(details: Any) -> errors.ApiError:
    """Serializer errors: MISSING_FIELDS naming all absent ones, else INVALID_INPUT with details."""
    problems = list(_flatten(details, ""))
    absent = [field for field, code, _ in problems if code in ABSENT]
    if absent:
        return errors.MissingFields(
            f"{', '.join(absent)} required",
            field=absent[0],
            details=[{"field": field, "problem": "required"} for field in absent],
        )
    field, _, message = problems[0]
    return errors.InvalidInput(
        f"{field}: {message}" if field else message,
        field=field,
        details=[{"field": name, "problem": text} for name, _, text in problems],
    )


def _flatten(details: Any, path: str):
    if isinstance(details, dict) and "code" in details and "message" in details:
        yield path, str(details["code"]), str(details["message"])
    elif isinstance(details, dict):
        for name, inner in details.items():
            below = path if name == "non_field_errors" else f"{path}.{name}".strip(".")
            yield from _flatten(inner, below)
    else:
        for inner in details:
            yield from _flatten(inner, path)
