/** Rows of the table endpoints, as far as the console reads them. */
export type Role = "owner" | "admin" | "member" | "auditor";
export type MachineStatus = "online" | "offline" | "pending" | "quarantined";
export type QuarantineReason = "admin" | "posture" | "risk" | "member_removed" | "key_revoked" | "review";

export interface Connectivity {
  ipv6?: boolean;
  udp?: boolean;
  upnp?: boolean;
  pmp?: boolean;
  pcp?: boolean;
  hairpinning?: boolean;
  mapping_varies?: boolean;
  preferred_derp?: string | null;
  firewall_mode?: string;
}

export interface Machine {
  id: string;
  name: string;
  magicdns_name: string;
  os: string;
  os_version_detail: string | null;
  version: string | null;
  owner_id: string | null;
  auth_key_id: string | null;
  ephemeral: boolean;
  tags: string[];
  tailnet_ip: string;
  tailnet_ipv6: string | null;
  public_key: string | null;
  mlkem_public_key: string | null;
  key_created_at: string | null;
  key_expiry_disabled: boolean;
  key_expired_at: string | null;
  status: MachineStatus;
  last_seen: string | null;
  approved_at: string | null;
  approved_by: string | null;
  admin_disabled: boolean;
  quarantine_reason: QuarantineReason | null;
  quarantine_note: string | null;
  locked: boolean;
  endpoints: (string | { addr: string })[] | null;
  public_endpoint: string | null;
  derp_region: string | null;
  derp_latencies: Record<string, number> | null;
  client_connectivity: Connectivity | null;
  advertised_routes: string[];
  approved_routes: string[];
  advertise_exit_node: boolean;
  exit_node_approved: boolean;
  shields_up: boolean;
  ssh_enabled: boolean;
  accept_routes: boolean;
  update_available: boolean | null;
  created_at: string;
}

export interface AuthKey {
  id: string;
  name: string;
  description: string | null;
  key_prefix: string;
  reusable: boolean;
  ephemeral: boolean;
  pre_approved: boolean;
  tags: string[] | null;
  allowed_cidrs: string[] | null;
  max_uses: number | null;
  used_count: number;
  expires_at: string;
  expired: boolean;
  revoked: boolean;
  revoked_at: string | null;
  created_at: string;
}

export interface ApiKey {
  id: string;
  name: string;
  key_prefix: string;
  scopes: string[];
  rate_limit_rpm: number;
  usage_count: number;
  last_used_at: string | null;
  expires_at: string;
  revoked: boolean;
  created_at: string;
}

export interface Organization {
  id: string;
  name: string;
  slug: string;
  domain: string | null;
  created_at: string;
}

export interface Invitation {
  id: string;
  email: string;
  role: Role;
  status: "pending" | "accepted" | "revoked" | "expired";
  expires_at: string;
  sent_at: string | null;
  created_at: string;
}

export interface OrgSettings {
  org_id: string;
  allow_exit_nodes: boolean;
  allow_subnet_routing: boolean;
  key_expiry_days: number;
  approval_required: boolean;
  require_mfa: boolean;
  email_signup_disabled: boolean;
  default_deny: boolean;
  four_eyes: boolean;
  magic_dns_enabled: boolean;
  pqc_policy: "prefer" | "require";
  api_key_max_days: number;
  audit_retention_days: number;
  session_idle_minutes: number | null;
  agent_channel: "stable" | "beta";
}

export interface Tables {
  machines: Machine;
  auth_keys: AuthKey;
  api_keys: ApiKey;
  organizations: Organization;
  org_invitations: Invitation;
  org_settings: OrgSettings;
}

export type TableName = keyof Tables;
export type RowOf<T extends TableName> = Tables[T];
export type ColumnOf<T extends TableName> = keyof Tables[T] & string;
