import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { pendingGrantsQuery } from "@/api/pending-grants";
import { Brand } from "@/components/brand";
import { AccountMenu } from "./account-menu";
import { sectionsFor } from "./navigation";
import { OrgSwitcher } from "./org-switcher";

/** The menu: brand, organisation, places, account. The same in the rail and in the drawer of small screens. */
export function Sidebar({ onNavigate }: { onNavigate?: () => void }) {
  const { org } = useCurrentOrg();
  return (
    <div className="on-rail flex h-full flex-col gap-4 bg-rail p-3 text-rail-ink">
      <Link to="/dashboard" onClick={onNavigate} className="rounded-lg px-2 pt-2" aria-label="QuickZTNA, dashboard">
        <Brand />
      </Link>
      <OrgSwitcher onSwitch={onNavigate} />
      <nav aria-label="Main" className="grid flex-1 content-start gap-4 overflow-y-auto">
        {sectionsFor(org.role).map(({ title, places }) => (
          <div key={title} className="grid gap-0.5">
            {title && <p className="px-2.5 pb-1 text-[0.78rem] text-rail-muted">{title}</p>}
            {places.map(({ to, label, icon: Icon }) => (
              <Link
                key={to}
                to={to}
                onClick={onNavigate}
                activeOptions={{ exact: to === "/settings" || to === "/acls", includeSearch: false }}
                className="flex items-center gap-2.5 rounded-lg px-2.5 py-2 text-rail-muted hover:bg-rail-raised hover:text-rail-ink"
                activeProps={{ className: "bg-rail-raised !text-rail-ink font-medium [&_svg]:text-spark" }}
              >
                <Icon className="size-4.25" aria-hidden />
                {label}
                {to === "/jit" && <WaitingGrants />}
              </Link>
            ))}
          </div>
        ))}
      </nav>
      <AccountMenu />
    </div>
  );
}

/** How many requests wait for this administrator, beside their place in the menu. */
function WaitingGrants() {
  const { org } = useCurrentOrg();
  const { data: count = 0 } = useQuery({ ...pendingGrantsQuery(org.id), enabled: useIsAdmin() });
  if (count === 0) return null;
  return (
    <span className="ml-auto rounded-full bg-alert px-1.75 text-[0.74rem] leading-5 font-semibold text-alert-ink tabular-nums">
      {count}
      <span className="sr-only"> waiting</span>
    </span>
  );
}
