"""Names: nameservers, split DNS, the organisation's own records, and who resolves to what."""

from django.apps import AppConfig


class DnsConfigApp(AppConfig):
    name = "apps.dns"
    label = "dns"
    verbose_name = "DNS"

    def ready(self) -> None:
        from apps.dns import receivers  # noqa: F401  (connects itself)
        from apps.dns.naming import complete, record_labels
        from apps.machines.names import reserve_labels
        from apps.machines.snapshots import provide_dns

        provide_dns(complete)
        reserve_labels(record_labels)
