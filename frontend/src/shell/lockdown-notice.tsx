import { useQuery } from "@tanstack/react-query";
import { OctagonX } from "lucide-react";
import { useCurrentOrg } from "@/api/current-org";
import { orgSettingsQuery } from "@/api/org-settings";
import { useChannels } from "@/realtime/provider";

/** Says on every page that nothing passes, so that nobody looks for the reason in a rule. */
export function LockdownNotice() {
  const { org } = useCurrentOrg();
  useChannels("general");
  const { data } = useQuery(orgSettingsQuery(org.id));
  if (!data?.lockdown_mode) return null;
  return (
    <p role="status" className="flex items-center gap-2.5 bg-red-soft px-4 py-2 text-red sm:px-7">
      <OctagonX className="size-4 shrink-0" aria-hidden />
      {org.name} is locked down: no machine reaches another.
    </p>
  );
}
