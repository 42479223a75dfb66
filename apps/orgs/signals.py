"""What higher apps may hear from this one; receivers run inside the transaction of the change."""

from django.dispatch import Signal

org_created = Signal()  # kwargs: org, actor
settings_changed = Signal()  # kwargs: org, actor, changed (names)
lockdown_changed = Signal()  # kwargs: org
# kwargs: org, user_id, actor; receivers answer the number of machines they quarantined
member_removed = Signal()
# kwargs: org, user_id; his role is another one
role_changed = Signal()
# kwargs: org_id; came, went: members of selectors (`user:x`, `tag:x`, `group:x`, a machine's id) that
# something has from now on, or perhaps nothing any more
names_changed = Signal()
# kwargs: org, names (in lower case); receivers answer which of them their groups have
group_names_asked = Signal()
# kwargs: org (locked), actor, renamed (old name -> new), came, gone (names in lower case), user_ids (of whom
# the groups changed)
idp_groups_changed = Signal()
