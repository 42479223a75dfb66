"""Nameservers and records in Django admin."""

from django.contrib import admin

from apps.core.admin import OrgModelAdmin
from apps.dns.models import DnsConfig, DnsRecord


@admin.register(DnsConfig)
class DnsConfigAdmin(OrgModelAdmin):
    list_display = ("nameserver", "org", "type", "domains", "created_at")
    list_filter = ("org", "type")
    search_fields = ("nameserver",)


@admin.register(DnsRecord)
class DnsRecordAdmin(OrgModelAdmin):
    list_display = ("name", "org", "type", "value", "machine")
    list_filter = ("org", "type")
    list_select_related = ("org", "machine")
    search_fields = ("name", "value")
