"""Flows as machines told of them, and the reports in which they came."""

from django.db import models

from apps.core.tenancy import OrgOwned

VERDICTS = ("allow", "deny")
MAX_PORT = 65_535
MACHINE = "machines.Machine"


class FlowLog(OrgOwned):
    """Packets of one kind that reached a machine within a few seconds.

    machine: who tells of it, which is the destination or the router before it. source_machine: whose
    address the source is. rule_id: of a rule that may be gone by now; none where nothing matched.
    count: connections, as far as the machine could count them.
    """

    at = models.DateTimeField()
    machine = models.ForeignKey(
        "machines.Machine", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    source_machine = models.ForeignKey(
        MACHINE, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    source = models.GenericIPAddressField()
    destination = models.GenericIPAddressField()
    protocol = models.CharField(max_length=4)
    port = models.PositiveIntegerField()
    verdict = models.CharField(max_length=5, choices=[(name, name) for name in VERDICTS])
    rule_id = models.UUIDField(null=True)
    packets = models.BigIntegerField()
    bytes = models.BigIntegerField()
    count = models.IntegerField()

    class Meta(OrgOwned.Meta):
        db_table = "flow_logs"
        ordering = ("-at", "-pk")
        indexes = (
            models.Index(fields=("org", "-at", "-id"), name="flow_newest"),
            models.Index(fields=("machine", "-at"), name="flow_of_machine"),
            models.Index(fields=("source_machine", "-at"), name="flow_from_machine"),
            models.Index(fields=("created_at",), name="flow_age"),
        )

    def __str__(self) -> str:
        return f"{self.source} {self.destination} {self.protocol}/{self.port} {self.verdict}"


class FlowReport(OrgOwned):
    """A report that was taken; the same one again adds nothing. Times are those of the machine's clock."""

    machine = models.ForeignKey(
        "machines.Machine", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    began = models.FloatField()
    ended = models.FloatField()
    # Events that the machine had no room for.
    dropped = models.BigIntegerField()

    class Meta(OrgOwned.Meta):
        db_table = "flow_reports"
        indexes = (models.Index(fields=("created_at",), name="flow_report_age"),)
        constraints = (
            models.UniqueConstraint(fields=("machine", "began", "ended"), name="flow_report_once"),
        )

    def __str__(self) -> str:
        return f"report of {self.machine_id}"
