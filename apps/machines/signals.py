"""What higher apps may hear from this one; receivers run inside the transaction of the change."""

from django.dispatch import Signal

machines_touched = Signal()  # kwargs: org_id, changed, removed (lists of Machine)
# kwargs: org_id, actor, machine_ids: machines, locked, whose tags, groups or owner have changed
machines_regrouped = Signal()
# kwargs: machine, posture (what it said of its health, unchecked), actor; after its enrolment's commit
machine_registered = Signal()
# kwargs: org_id, question (text), answers (machine id -> wire.connections.Counted); outside any transaction
connections_counted = Signal()
