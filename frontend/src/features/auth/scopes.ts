/** The words a key's scopes are made of: three verbs, five resources. */
export const scopeWords = ["read", "write", "admin", "machines", "dns", "acl", "billing", "audit"] as const;
