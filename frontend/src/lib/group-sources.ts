/** Where groups of people come from. */
export const sourceNames: Record<"oidc" | "scim", string> = { oidc: "Sign-in", scim: "SCIM" };
