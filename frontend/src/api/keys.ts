/** Cache keys. The organisation stands first in every key of its data, so that none can show under another's name. */
export const userKeys = {
  me: ["me"] as const,
  memberships: ["memberships"] as const,
};

export type OrgKey = readonly ["org", orgId: string, topic: string, ...rest: unknown[]];

export function orgKey(orgId: string, topic: string, ...rest: unknown[]): OrgKey {
  return ["org", orgId, topic, ...rest];
}

/** What a cached list was narrowed by, kept as the key's last part so that live events know whom they concern. */
export interface Narrowed {
  narrowedBy: Record<string, unknown>;
}

export function narrowedBy(filters: Record<string, unknown>): Narrowed {
  return { narrowedBy: filters };
}
