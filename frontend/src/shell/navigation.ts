import { ArrowRightLeft, Building2, ClipboardCheck, FlaskConical, Globe, Group, HeartPulse, History, Hourglass, KeyRound, LayoutDashboard, ScrollText, Server, ShieldCheck, ShieldPlus, SlidersHorizontal, SquareTerminal, Users, Webhook, type LucideIcon } from "lucide-react";
import type { LinkProps } from "@tanstack/react-router";
import type { Role } from "@/api/tables";

export interface Place {
  to: LinkProps["to"];
  label: string;
  icon: LucideIcon;
  /** Words people may look for it by. */
  words: string;
  roles?: readonly Role[];
}

export interface Section {
  title: string | null;
  places: readonly Place[];
}

const inspectors: readonly Role[] = ["owner", "admin", "auditor"];
const admins: readonly Role[] = ["owner", "admin"];

const sections: readonly Section[] = [
  {
    title: null,
    places: [
      { to: "/dashboard", label: "Dashboard", icon: LayoutDashboard, words: "home overview getting started guide" },
      { to: "/machines", label: "Machines", icon: Server, words: "devices hosts nodes network pending approve" },
      { to: "/dns", label: "DNS", icon: Globe, words: "names magicdns nameservers records resolve split search domain" },
    ],
  },
  {
    title: "Policy",
    places: [
      { to: "/acls", label: "Access rules", icon: ShieldCheck, words: "acl policy allow deny firewall who reaches test plan json" },
      { to: "/abac", label: "Attribute policies", icon: SlidersHorizontal, words: "abac conditions country time os role" },
      { to: "/acls/tests", label: "Policy tests", icon: FlaskConical, words: "assertions acl must hold run" },
      { to: "/flows", label: "Flow log", icon: ArrowRightLeft, words: "flows traffic connections allowed denied packets bytes who reached", roles: inspectors },
      { to: "/segmentation", label: "Segmentation", icon: Group, words: "groups machines members" },
      { to: "/jit", label: "Just-in-time access", icon: Hourglass, words: "request approve grant temporary governance inbox" },
      { to: "/posture", label: "Device posture", icon: HeartPulse, words: "health compliance violations encryption firewall antivirus" },
      { to: "/posture-policies", label: "Posture policies", icon: ShieldPlus, words: "health requirements enforce monitor templates" },
      { to: "/policy-versions", label: "Policy history", icon: History, words: "versions revisions diff rollback undo changes" },
      { to: "/access-reviews", label: "Access reviews", icon: ClipboardCheck, words: "campaigns governance certify recertification" },
    ],
  },
  {
    title: "People and keys",
    places: [
      { to: "/users", label: "Users", icon: Users, words: "members people team roles invitations invite" },
      { to: "/settings/auth-keys", label: "Auth keys", icon: KeyRound, words: "enrol register tskey join", roles: inspectors },
      { to: "/api-keys", label: "API keys", icon: SquareTerminal, words: "programs scopes tokens terraform", roles: inspectors },
    ],
  },
  {
    title: "Connect",
    places: [{ to: "/webhooks", label: "Webhooks", icon: Webhook, words: "hooks events deliveries notify chat integrations outgoing signed", roles: admins }],
  },
  {
    title: "Organisation",
    places: [
      { to: "/audit-log", label: "Audit log", icon: ScrollText, words: "events history trail" },
      { to: "/settings", label: "Settings", icon: Building2, words: "network name key expiry exit nodes subnet routing" },
    ],
  },
];

/** The sections of the menu with what the role may open. */
export function sectionsFor(role: Role): Section[] {
  const open = sections.map(({ title, places }) => ({ title, places: places.filter(({ roles }) => roles?.includes(role) ?? true) }));
  return open.filter(({ places }) => places.length > 0);
}
