"""People and keys; ending sessions and revoking keys run the services."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from apps.auth import apikeys
from apps.auth.models import ApiKey, OneTimeToken, RefreshToken, Session, SigningKey, User
from apps.auth.sessions import end_sessions
from apps.core.admin import OrgModelAdmin, ReadOnlyAdmin, confirmed, operator, tell_done

# Rights in the admin are all or nothing; groups would only be a second, unused way.
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("email", "full_name", "is_active", "is_staff", "created_at")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "full_name")
    exclude = ("password", "groups", "user_permissions")
    actions = ("sign_out",)

    @admin.action(description="Sign out everywhere")
    def sign_out(self, request: HttpRequest, rows: Any) -> Any:
        question = "Sign these people out everywhere"
        if page := confirmed(self, request, rows, action="sign_out", question=question):
            return page
        ended = end_sessions(Session.objects.filter(user__in=rows), reason="revoked")
        tell_done(self, request, f"{ended} sessions ended")
        return None


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = ("user", "kind", "device", "ip", "last_used_at", "ended_at", "end_reason")
    list_filter = ("kind", "end_reason")
    list_select_related = ("user",)
    search_fields = ("user__email", "ip")
    exclude = ("fingerprint",)
    actions = ("end",)

    @admin.action(description="End sessions")
    def end(self, request: HttpRequest, rows: Any) -> Any:
        if page := confirmed(self, request, rows, action="end", question="End these sessions"):
            return page
        tell_done(self, request, f"{end_sessions(rows, reason='revoked')} sessions ended")
        return None


@admin.register(RefreshToken)
class RefreshTokenAdmin(ReadOnlyAdmin):
    list_display = ("session", "generation", "used_at", "expires_at")
    search_fields = ("session__user__email",)
    exclude = ("token_hash", "successor")


@admin.register(OneTimeToken)
class OneTimeTokenAdmin(ReadOnlyAdmin):
    list_display = ("purpose", "created_at", "expires_at", "used_at")
    list_filter = ("purpose",)
    search_fields = ("id",)
    exclude = ("token_hash", "subject")


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    list_display = ("kid", "state", "created_at", "not_after")
    list_filter = ("state",)
    search_fields = ("kid",)
    exclude = ("private_key",)


@admin.register(ApiKey)
class ApiKeyAdmin(OrgModelAdmin):
    list_display = ("name", "org", "key_prefix", "scopes", "last_used_at", "expires_at", "revoked")
    list_filter = ("org", "revoked")
    search_fields = ("name", "key_prefix")
    exclude = ("key_hash",)
    actions = ("revoke",)

    @admin.action(description="Revoke keys")
    def revoke(self, request: HttpRequest, rows: Any) -> Any:
        if page := confirmed(self, request, rows, action="revoke", question="Revoke these keys"):
            return page
        for key in rows:
            apikeys.revoke_api_key(org=key.org_id, actor=operator(request), key_id=key.pk)
        tell_done(self, request, f"{len(rows)} keys revoked")
        return None
