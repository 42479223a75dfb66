"""Base classes of the admin, and the core's own tables."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from apps.core.actors import Actor
from apps.core.models import IdempotencyKey, JobRun, MailMessage, OrgDataKey, UserPreferences


class ReadOnlyAdmin(ModelAdmin):
    """Rows that are looked at: changes belong into services, which audit and publish them."""

    list_filter_submit = True
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OrgModelAdmin(ReadOnlyAdmin):
    """A table of organisations' rows: filtered and shown by organisation."""

    list_filter: tuple[Any, ...] = ("org",)
    list_select_related: tuple[str, ...] = ("org",)


def operator(request: HttpRequest) -> Actor:
    """The administrator of the host as services and audit rows see him."""
    return Actor(
        kind="operator",
        id=request.user.pk,
        name=request.user.full_name,
        email=request.user.email,
        ip_address=request.client_address,
        user_agent=request.headers.get("User-Agent", "")[:200],
        request_id=request.request_id,
    )


def confirmed(modeladmin: ModelAdmin, request: HttpRequest, rows: Any, *, action: str, question: str) -> Any:
    """None once the administrator has confirmed; until then the page that asks him."""
    if request.POST.get("confirmed") == "yes":
        return None
    context = {
        **modeladmin.admin_site.each_context(request),
        "title": question,
        "action": action,
        "rows": rows,
        "opts": modeladmin.model._meta,
    }
    return TemplateResponse(request, "admin/confirm_action.html", context)


def tell_done(modeladmin: ModelAdmin, request: HttpRequest, text: str) -> None:
    modeladmin.message_user(request, text, messages.SUCCESS)


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ("name", "outcome", "started_at", "ended_at", "counts")
    list_filter = ("outcome", "name")
    search_fields = ("name", "error")


@admin.register(MailMessage)
class MailMessageAdmin(ReadOnlyAdmin):
    list_display = ("recipient", "template", "state", "tries", "created_at")
    list_filter = ("state", "template")
    search_fields = ("recipient",)
    exclude = ("context",)


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ("caller", "created_at", "expires_at")
    search_fields = ("caller",)
    exclude = ("answer", "key", "body_hash")


@admin.register(OrgDataKey)
class OrgDataKeyAdmin(OrgModelAdmin):
    list_display = ("org", "created_at")
    search_fields = ("org__name",)
    exclude = ("wrapped",)


@admin.register(UserPreferences)
class UserPreferencesAdmin(ReadOnlyAdmin):
    list_display = ("user", "for_org", "created_at")
    search_fields = ("user__email",)
