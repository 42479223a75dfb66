"""Policy in Django admin."""

from django.contrib import admin

from apps.core.admin import OrgModelAdmin
from apps.policy import models


@admin.register(models.AclRule)
class AclRuleAdmin(OrgModelAdmin):
    list_display = (
        "name",
        "org",
        "source",
        "destination",
        "protocol",
        "ports",
        "action",
        "priority",
        "enabled",
    )
    list_filter = ("org", "action", "enabled")
    search_fields = ("name", "source", "destination")


@admin.register(models.AbacPolicy)
class AbacPolicyAdmin(OrgModelAdmin):
    list_display = ("name", "org", "effect", "selector", "enabled", "priority")
    list_filter = ("org", "effect")
    search_fields = ("name",)


@admin.register(models.SegmentationGroup)
class SegmentationGroupAdmin(OrgModelAdmin):
    list_display = ("name", "org", "description", "created_at")
    list_filter = ("org",)
    search_fields = ("name",)


@admin.register(models.SegmentationGroupMember)
class SegmentationGroupMemberAdmin(OrgModelAdmin):
    list_display = ("group", "machine", "org", "created_at")
    list_filter = ("org",)
    list_select_related = ("org", "group", "machine")
    search_fields = ("group__name", "machine__name")


@admin.register(models.PolicyTest)
class PolicyTestAdmin(OrgModelAdmin):
    list_display = ("name", "org", "source", "destination", "port", "expected", "last_result")
    list_filter = ("org", "expected", "last_result")
    search_fields = ("name", "source", "destination")


@admin.register(models.PolicyRevision)
class PolicyRevisionAdmin(OrgModelAdmin):
    list_display = ("revision", "org", "summary", "user", "created_at")
    list_filter = ("org",)
    search_fields = ("summary", "label", "user__email")


@admin.register(models.PolicyVersion)
class PolicyVersionAdmin(OrgModelAdmin):
    list_display = ("policy_type", "policy_id", "version", "org", "changed_by", "created_at")
    list_filter = ("org", "policy_type")
    search_fields = ("policy_id", "change_summary")


@admin.register(models.ChangePlan)
class ChangePlanAdmin(OrgModelAdmin):
    list_display = ("pk", "org", "status", "base_version", "created_by", "created_at")
    list_filter = ("org", "status")
    search_fields = ("note", "created_by__email")


@admin.register(models.JitAccessGrant)
class JitAccessGrantAdmin(OrgModelAdmin):
    list_display = (
        "pk",
        "org",
        "requester",
        "source_selector",
        "destination_selector",
        "status",
        "expires_at",
    )
    list_filter = ("org", "status")
    search_fields = ("requester__email", "source_selector", "destination_selector")


@admin.register(models.AccessReviewCampaign)
class AccessReviewCampaignAdmin(OrgModelAdmin):
    list_display = ("name", "org", "status", "reviewer", "due_date")
    list_filter = ("org", "status")
    search_fields = ("name", "reviewer__email")


@admin.register(models.AccessReviewDecision)
class AccessReviewDecisionAdmin(OrgModelAdmin):
    list_display = ("resource_name", "resource_type", "org", "campaign", "decision", "decided_at")
    list_filter = ("org", "decision")
    list_select_related = ("org", "campaign")
    search_fields = ("resource_name", "notes")
