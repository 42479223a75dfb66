import { Link } from "@tanstack/react-router";
import type { AclRule } from "@/api/tables";
import { Badge } from "@/components/ui/badge";
import { Menu, MenuLabel } from "@/components/ui/menu";
import { plural } from "@/lib/time";

/** How many rules name a group, and which. */
export function RulesBadge({ rules }: { rules: AclRule[] }) {
  return (
    <Menu
      align="start"
      className="max-w-80 px-2 pb-2"
      trigger={
        <button type="button" className="rounded-md" aria-label={`${plural(rules.length, "ACL rule")}, show them`}>
          <Badge colour="violet">{plural(rules.length, "ACL rule")}</Badge>
        </button>
      }
    >
      <MenuLabel>Named by</MenuLabel>
      <ul className="grid gap-1 px-2.5">
        {rules.map(({ id, name, enabled }) => (
          <li key={id}>
            <Link to="/acls" search={{ q: name }} className="rounded hover:text-accent hover:underline">
              {name}
            </Link>
            {!enabled && <span className="text-muted"> (disabled)</span>}
          </li>
        ))}
      </ul>
    </Menu>
  );
}
