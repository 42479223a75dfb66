import type { components } from "./schema.gen";

export type Role = "owner" | "admin" | "member" | "auditor";
export type MachineStatus = "online" | "offline" | "pending" | "quarantined";
export type QuarantineReason = "admin" | "posture" | "risk" | "member_removed" | "key_revoked" | "review";

type Rows = components["schemas"];

/**
 * A generated row with what the document leaves open told exactly: which columns can be null, what lists hold, which
 * words a status takes. A column that the document does not know can't be named here.
 */
type Row<Generated, Exact extends { [C in keyof Exact]: C extends keyof Generated ? unknown : never }> = {
  [C in keyof Generated]: C extends keyof Exact ? Exact[C] : NonNullable<Generated[C]>;
};

export interface Connectivity {
  ipv6?: boolean;
  udp?: boolean;
  upnp?: boolean;
  pmp?: boolean;
  pcp?: boolean;
  hairpinning?: boolean;
  mapping_varies?: boolean;
  firewall_mode?: string;
}

export type Machine = Row<
  Rows["MachinesRow"],
  {
    os_version_detail: string | null;
    version: string | null;
    owner_id: string | null;
    tags: string[];
    mlkem_public_key: string | null;
    key_expired_at: string | null;
    status: MachineStatus;
    last_seen: string | null;
    approved_at: string | null;
    quarantine_reason: QuarantineReason | null;
    quarantine_note: string | null;
    endpoints: string[];
    derp_region: string | null;
    derp_latencies: Record<string, number>;
    client_connectivity: Connectivity;
    advertised_routes: string[];
    approved_routes: string[];
  }
>;

export type AuthKey = Row<
  Rows["AuthKeysRow"],
  {
    description: string | null;
    tags: string[] | null;
    allowed_tags: string[] | null;
    allowed_cidrs: string[] | null;
    max_uses: number | null;
    revoked_at: string | null;
  }
>;

export type ApiKey = Row<Rows["ApiKeysRow"], { scopes: string[]; last_used_at: string | null }>;

export type Invitation = Row<Rows["OrgInvitationsRow"], { role: Role; sent_at: string | null }>;

export type PostureMode = "disabled" | "monitor" | "enforce";
export type OnFail = "warn" | "restrict" | "quarantine";

export type PosturePolicy = Row<
  Rows["PosturePoliciesRow"],
  {
    created_by: string | null;
    description: string | null;
    scope: { tags?: string[]; groups?: string[] };
    allowed_os: string[];
    min_os_version: Record<string, unknown>;
    max_patch_age_days: number | null;
    screen_lock: { enabled?: boolean; max_idle_min?: number } | null;
    agent_version_min: string | null;
    on_fail: OnFail;
    unresolved: string[];
    warnings: string[];
  }
>;

/** One requirement that a machine does not meet, with what was found and what was asked. */
export interface Violation {
  code: string;
  found?: unknown;
  allowed?: unknown;
  policy_id?: string;
}

/** What a machine last said of itself; null where it could not tell. */
export type PostureReport = Row<
  Rows["PostureReportsRow"],
  {
    os_version: string | null;
    os_version_detail: string | null;
    disk_encrypted: boolean | null;
    firewall_enabled: boolean | null;
    antivirus_enabled: boolean | null;
    antivirus_name: string | null;
    last_patch_date: string | null;
    patch_age_days: number | null;
    usb_storage_disabled: boolean | null;
    screen_lock_timeout: number | null;
    auto_update: boolean | null;
    firewall_audit: Record<string, unknown> | null;
    pending_security_updates: number | null;
    reboot_pending: boolean | null;
    agent_version: string | null;
    custom_attributes: Record<string, unknown> | null;
    violations: string[];
    violation_details: Violation[];
    remedies: Record<string, string>;
    failing_since: string | null;
    grace_ends_at: string | null;
  }
>;

export type OrgSettings = Row<Rows["OrgSettingsRow"], { session_idle_minutes: number | null; search_domains: string[]; posture_enforcement: PostureMode }> & {
  /** The organisation's, answered beside its settings. */
  lockdown_mode: boolean;
};

export type Protocol = "tcp" | "udp" | "icmp" | "*";
export type Verdict = "allow" | "deny";

export type AclRule = Row<
  Rows["AclRulesRow"],
  {
    created_by: string | null;
    description: string | null;
    protocol: Protocol;
    action: Verdict;
    starts_at: string | null;
    expires_at: string | null;
    time_hour: string | null;
    day_of_week: string | null;
    source_country: string[] | null;
    source_os: string[] | null;
    jit_grant_id: string | null;
    unresolved: string[];
    warnings: string[];
  }
>;

/** Attributes of a source; what is absent is not asked. */
export interface Attributes {
  time_hour?: string | null;
  day_of_week?: string | null;
  timezone?: string | null;
  country?: string[] | null;
  os?: string[] | null;
  tags?: string[] | null;
  roles?: Role[] | null;
  posture?: boolean | "compliant" | "non_compliant" | null;
  network?: string[] | null;
}

export type AbacPolicy = Row<Rows["AbacPoliciesRow"], { created_by: string | null; effect: "deny" | "require"; conditions: Attributes; unresolved: string[]; warnings: string[] }>;

export type SegmentationGroup = Row<Rows["SegmentationGroupsRow"], { created_by: string | null; description: string | null }>;
export type GroupMember = Row<Rows["SegmentationGroupMembersRow"], object>;

/** A group of people, as the identity provider tells of it: at sign-ins, or by SCIM. */
export type IdpGroup = Row<Rows["IdpGroupsRow"], { source: "oidc" | "scim"; external_id: string | null }>;
export type IdpGroupMember = Row<Rows["IdpGroupMembersRow"], object>;

/** Who may put a tag on his machines. */
export type TagOwner = Row<Rows["TagOwnersRow"], { principal: "user" | "group"; created_by: string | null }>;
export type Webhook = Row<
  Rows["WebhooksRow"],
  { created_by: string | null; events: string[]; last_attempt_at: string | null; last_ok: boolean | null; failing_since: string | null; disabled_at: string | null }
>;

export interface Tables {
  machines: Machine;
  tag_owners: TagOwner;
  acl_rules: AclRule;
  abac_policies: AbacPolicy;
  posture_policies: PosturePolicy;
  posture_reports: PostureReport;
  segmentation_groups: SegmentationGroup;
  segmentation_group_members: GroupMember;
  idp_groups: IdpGroup;
  idp_group_members: IdpGroupMember;
  auth_keys: AuthKey;
  api_keys: ApiKey;
  org_invitations: Invitation;
  webhooks: Webhook;
}

export type TableName = keyof Tables;
export type RowOf<T extends TableName> = Tables[T];
export type ColumnOf<T extends TableName> = keyof Tables[T] & string;
