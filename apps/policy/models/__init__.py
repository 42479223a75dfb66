"""Tables of policy: rules and groups, their history and plans, grants and reviews."""

from apps.policy.models.governance import AccessReviewCampaign, AccessReviewDecision, JitAccessGrant
from apps.policy.models.history import ChangePlan, PolicyRevision, PolicyTest, PolicyVersion
from apps.policy.models.rules import AbacPolicy, AclRule, SegmentationGroup, SegmentationGroupMember

__all__ = [
    "AbacPolicy",
    "AccessReviewCampaign",
    "AccessReviewDecision",
    "AclRule",
    "ChangePlan",
    "JitAccessGrant",
    "PolicyRevision",
    "PolicyTest",
    "PolicyVersion",
    "SegmentationGroup",
    "SegmentationGroupMember",
]
