import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ShieldAlert } from "lucide-react";
import { useCurrentOrg } from "@/api/current-org";
import { useNow } from "@/lib/now";
import { ago } from "@/lib/time";
import { identityRefusalQuery } from "../queries";

const SHOWN_MS = 7 * 24 * 3600 * 1000;

/** Shown while a peer has lately refused this machine because its identity key is another one than before. */
export function IdentityWarning({ machineId }: { machineId: string }) {
  const { org } = useCurrentOrg();
  const { data: event } = useQuery(identityRefusalQuery(org.id, machineId));
  const now = useNow(60_000);
  if (!event || now - Date.parse(event.created_at) > SHOWN_MS) return null;
  return (
    <div role="alert" className="mb-4 flex items-start gap-3 rounded-2xl bg-red-soft px-4 py-3 text-red sm:px-5">
      <ShieldAlert className="mt-0.5 size-4.5 shrink-0" aria-hidden />
      <p className="min-w-0">
        <span className="font-medium">{String(event.details.refused_by)} refused this machine&rsquo;s identity</span> {ago(event.created_at, now)}: its key is not the one known
        before. Somebody may pose as this machine, unless it was set up anew.{" "}
        <Link to="/audit-log" search={{ resource: machineId }} className="rounded underline">
          Show its activity
        </Link>
      </p>
    </div>
  );
}
