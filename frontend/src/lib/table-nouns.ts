const nouns: Record<string, string> = {
  acl_rules: "Rule",
  abac_policies: "Attribute policy",
  posture_policies: "Posture policy",
  segmentation_groups: "Group",
  segmentation_group_members: "Membership",
  policy_tests: "Policy test",
  settings: "Settings",
};

/** What one row of a table is called. */
export function nounOf(table: string): string {
  return nouns[table] ?? table;
}
