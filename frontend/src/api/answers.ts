import type { OrgSettings } from "./tables";

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

/** What the actions answer that the console reads: the document declares requests, not answers. */
export interface Answers {
  "auth.cli_complete": { code: string };
  "auth/device.lookup": { hostname: string | null; ip: string; created_at: string };
  "dns-management.get_settings": DnsSettings;
  "dns-management.resolve": Resolution;
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
}
