"""`Idempotency-Key`: the first answer to a POST is repeated to the same caller for 24 hours."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import errors, sealing
from apps.core.api.principals import Principal
from apps.core.api.rendering import WireEncoder
from apps.core.models import IdempotencyKey

KEPT_FOR = timedelta(hours=24)


def once(
    request: Request, principal: Principal | None, body: dict[str, Any], run: Callable[[], HttpResponseBase]
) -> HttpResponseBase:
    """Run a call, or repeat the answer that its Idempotency-Key got before."""
    key = request.headers.get("Idempotency-Key")
    if request.method != "POST" or not key or principal is None:
        return run()
    if len(key) > 128:
        raise errors.InvalidInput("Idempotency-Key: at most 128 characters")
    caller = f"{principal.kind}:{principal.id}"
    digest = hashlib.sha256(f"{request.path}\n{json.dumps(body, sort_keys=True)}".encode()).hexdigest()
    IdempotencyKey.objects.filter(caller=caller, expires_at__lte=timezone.now()).delete()
    try:
        with transaction.atomic():
            claim = IdempotencyKey.objects.create(
                key=key, caller=caller, body_hash=digest, expires_at=timezone.now() + KEPT_FOR
            )
    except IntegrityError:
        return _repeat(IdempotencyKey.objects.get(caller=caller, key=key), digest)
    try:
        response = run()
    except BaseException:
        # A failure is no answer worth repeating; the caller may try again.
        claim.delete()
        raise
    if isinstance(response, Response):
        answer = json.dumps({"status": response.status_code, "data": response.data}, cls=WireEncoder)
        # The answer may hold a key that is shown once.
        claim.answer = sealing.seal_platform("idempotency", str(claim.pk), answer.encode())
        claim.save(update_fields=["answer"])
    return response


def _repeat(stored: IdempotencyKey, digest: str) -> Response:
    if stored.body_hash != digest:
        raise errors.Conflict("Idempotency-Key was used with another body", field="Idempotency-Key")
    if not stored.answer:
        raise errors.Conflict("The first call with this Idempotency-Key is still running")
    answer = json.loads(sealing.open_platform("idempotency", str(stored.pk), bytes(stored.answer)))
    return Response(answer["data"], status=answer["status"], headers={"Idempotency-Replayed": "true"})
