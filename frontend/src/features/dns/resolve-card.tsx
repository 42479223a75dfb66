import { useMutation } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { useState } from "react";
import { act } from "@/api/act";
import type { Resolution } from "@/api/answers";
import { useCurrentOrg } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { Copyable } from "@/components/copy";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Field, TextField } from "@/components/ui/field";

const addressTypes = ["A", "AAAA"] as const;
type AddressType = (typeof addressTypes)[number];

const sources: Record<NonNullable<Resolution["source"]>, string> = {
  machine_fqdn: "Machine, by its full name",
  machine_auto: "Machine, by its short name",
  custom: "Record of your own",
};

/** Asks the control plane what a name stands for; works while MagicDNS is off too. */
export function ResolveCard({ domain }: { domain: string }) {
  const { org } = useCurrentOrg();
  const [hostname, setHostname] = useState("");
  const [type, setType] = useState<AddressType>("A");
  const resolve = useMutation({ mutationFn: () => act("dns-management", "resolve", { org_id: org.id, hostname: hostname.trim(), type }) });
  return (
    <Card title="Resolve" subtitle="What the network answers for a name.">
      <form
        className="flex flex-wrap items-end gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          resolve.mutate();
        }}
      >
        <div className="min-w-44 flex-1">
          <TextField
            label="Name"
            required
            maxLength={253}
            placeholder={`web or web.${domain}`}
            className="font-mono"
            autoCapitalize="none"
            spellCheck={false}
            value={hostname}
            onChange={(event) => setHostname(event.target.value)}
          />
        </div>
        <Field label="Type">
          {(control) => (
            <select {...control} className="field w-auto" value={type} onChange={(event) => setType(event.target.value as AddressType)}>
              {addressTypes.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          )}
        </Field>
        <Button type="submit" busy={resolve.isPending}>
          <Search /> Resolve
        </Button>
      </form>
      <div aria-live="polite" className="mt-3 empty:hidden">
        {resolve.error && <p className="text-red">{messageOf(resolve.error)}</p>}
        {resolve.data && <Result found={resolve.data} />}
      </div>
    </Card>
  );
}

function Result({ found: { fqdn, addresses, source } }: { found: Resolution }) {
  return (
    <div className="rounded-lg bg-sunken px-3 py-2.5">
      <p className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <span className="min-w-0 font-mono text-[0.82rem] break-all">{fqdn}</span>
        {source && <Badge colour={source === "custom" ? "violet" : "blue"}>{sources[source]}</Badge>}
      </p>
      {addresses.map((address) => (
        <p key={address}>
          <Copyable text={address} label="address" />
        </p>
      ))}
      {addresses.length === 0 && <p className="text-muted">{source ? "No address of this type." : "No machine or record of your network has this name."}</p>}
    </div>
  );
}
