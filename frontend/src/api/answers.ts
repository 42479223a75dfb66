import type { OrgSettings, Protocol, Verdict } from "./tables";

/** A pair as one of its machines last reported it. */
export interface PeerPath {
  machine_id: string;
  name: string;
  path: "direct" | "relay" | "none";
  rtt_ms: number | null;
  pqc: "verified" | "pending" | "classical";
  endpoint: string | null;
  rx_bytes: number | null;
  tx_bytes: number | null;
}

export interface AuditEvent {
  id: string;
  action: string;
  resource_type: string;
  resource_id: string | null;
  details: Record<string, unknown>;
  user_id: string | null;
  actor: { kind: string; name: string | null; email: string | null };
  ip_address: string | null;
  user_agent: string | null;
  created_at: string;
}

export interface AuditPage {
  logs: AuditEvent[];
  total: number;
  page: number;
  filters: { resource_types: string[]; action_categories: string[] };
}

export type RecordType = "A" | "AAAA" | "CNAME" | "TXT";

export interface Nameserver {
  id: string;
  nameserver: string;
  type: "global" | "split";
  domains: string[];
}

/** A name of the network: of a machine (no id), or a record of the organisation's own. */
export interface DnsName {
  id: string | null;
  name: string;
  type: RecordType;
  value: string;
  source: "machine" | "custom";
}

export interface DnsSettings {
  settings: { magic_dns_enabled: boolean; search_domains: string[]; override_local_dns: boolean };
  domain: string;
  nameservers: Nameserver[];
  dns_records: DnsName[];
}

export interface Resolution {
  hostname: string;
  fqdn: string;
  addresses: string[];
  source: "machine_fqdn" | "machine_auto" | "custom" | null;
}

export type GrantStatus = "pending" | "approved" | "denied" | "revoked" | "expired";

/** A request for access for a while, and what became of it. */
export interface AccessGrant {
  id: string;
  requester_user_id: string | null;
  requester_email: string | null;
  approver_email: string | null;
  source_selector: string;
  destination_selector: string;
  ports: string;
  protocol: Protocol;
  requested_duration_hours: number;
  reason: string | null;
  status: GrantStatus;
  requested_at: string;
  granted_at: string | null;
  expires_at: string | null;
  revoked_at: string | null;
  denial_reason: string | null;
  machine_name: string | null;
}

/** One write of the whole policy. */
export interface Revision {
  revision: number;
  at: string;
  user_id: string | null;
  summary: string;
  label: string | null;
  plan_id: string | null;
}

type Snapshot = Record<string, unknown>;

/** A row of the policy before and after; null where it was not, or is no more. */
export interface RevisionChange {
  table: string;
  id: string;
  before: Snapshot | null;
  after: Snapshot | null;
}

export interface PolicyVersion {
  id: string;
  version: number;
  change_summary: string | null;
  changed_by: string | null;
  created_at: string;
}

export interface FieldChange {
  field: string;
  before: unknown;
  after: unknown;
}

/** A moment at which a machine's posture changed. */
export interface PosturePoint {
  at: string;
  compliant: boolean;
  violations: string[];
}

export interface PosturePreview {
  machines_in_scope: number;
  would_fail: { id: string; name: string; violations: string[] }[];
  never_reported: { id: string; name: string }[];
}

/** One end: a machine, or an address that belongs to none. */
export interface FlowEnd {
  id: string | null;
  name: string | null;
  address: string;
}

/** What one machine saw between two ends through one service, merged over a while. */
export interface Flow {
  id: string;
  at: string;
  /** Who recorded it. */
  machine: { id: string; name: string };
  source: FlowEnd;
  destination: FlowEnd;
  protocol: string;
  port: number;
  verdict: Verdict;
  /** Null where no rule decided; its name is null once the rule is gone. */
  rule: { id: string; name: string | null } | null;
  packets: number;
  bytes: number;
  /** How many connections it stands for. */
  count: number;
}

export interface FlowWindow {
  enabled: boolean;
  flows: Flow[];
  next_cursor: string | null;
}

/** One event for one webhook, and how far it has come. */
export interface WebhookDelivery {
  id: string;
  webhook_id: string;
  event: string;
  status: "pending" | "sending" | "delivered" | "failed";
  attempts: number;
  created_at: string;
  attempted_at: string | null;
  next_try_at: string | null;
  duration_ms: number | null;
  response_status: number | null;
  error: string;
}

export interface WebhookDeliveryWhole extends WebhookDelivery {
  body: string;
  response: string;
}

/** Events that are chosen together. */
export interface EventGroup {
  title: string;
  events: string[];
}

/** What the actions answer that the console reads: the document declares requests, not answers. */
export interface Answers {
  "auth.cli_complete": { code: string };
  "auth/device.lookup": { hostname: string | null; ip: string; created_at: string };
  "dns-management.get_settings": DnsSettings;
  "dns-management.resolve": Resolution;
  "governance.diff_policy_versions": { changes: FieldChange[] };
  "governance.get_pending_count": { pending_count: number };
  "governance.get_request_history": { requests: AccessGrant[]; next_cursor: string | null };
  "governance.get_revision": { revision: number; at: string; summary: string; changes: RevisionChange[] };
  "governance.jit_approve": { status: GrantStatus; expires_at: string; warnings: string[] };
  "governance.jit_request": { status: GrantStatus; duration_hours: number; approvers_notified: string[] };
  "governance.list_policy_versions": { versions: PolicyVersion[] };
  "governance.list_revisions": { revisions: Revision[]; next_cursor: number | null };
  "governance.search_audit_logs": AuditPage;
  "key-management.create_api_key": { key: string };
  "key-management.create_auth_key": { key: string };
  "key-management.revoke_auth_key": { machines_quarantined: number };
  "key-management.rotate_api_key": { key: string };
  "machine-admin.peers": { peers: PeerPath[] };
  "org-management.create": { id: string; slug: string };
  "org-management.get_settings": OrgSettings;
  "org-management.invite_member": { email_sent: boolean; link: string | null };
  "org-management.remove_member": { machines_quarantined: number };
  "policy.flows": FlowWindow;
  "posture.history": { points: PosturePoint[] };
  "posture.preview": PosturePreview;
  "webhooks.create": { id: string; secret: string };
  "webhooks.deliveries": { deliveries: WebhookDelivery[]; next_cursor: string | null };
  "webhooks.events": { groups: EventGroup[] };
  "webhooks.replay": WebhookDelivery;
  "webhooks.test": WebhookDeliveryWhole;
  "webhooks.update": { id: string; secret?: string };
}
