import { useState } from "react";
import { useIsAdmin } from "@/api/current-org";
import type { DnsSettings } from "@/api/answers";
import { messageOf } from "@/api/error";
import { Copyable } from "@/components/copy";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, Fact, Facts } from "@/components/ui/card";
import { TextField } from "@/components/ui/field";
import { SwitchRow } from "@/components/ui/switch";
import { listOf } from "@/lib/list";
import { tellFailure, useDnsChange } from "./queries";

export function MagicDnsCard({ dns: { settings, domain } }: { dns: DnsSettings }) {
  const isAdmin = useIsAdmin();
  const change = useDnsChange("update_settings", "Saved");
  return (
    <Card title="MagicDNS">
      <Facts>
        <Fact name="Domain">
          <Copyable text={domain} label="domain" />
        </Fact>
      </Facts>
      <div className="mt-2 border-t border-line pt-1">
        <SwitchRow
          label="MagicDNS"
          hint={`Every machine can be reached by its name, such as web or web.${domain}.`}
          checked={settings.magic_dns_enabled}
          disabled={!isAdmin || change.isPending}
          onChange={(magic_dns_enabled) => change.mutate({ magic_dns_enabled }, tellFailure)}
        />
      </div>
      {/* Another list from elsewhere starts the form anew. */}
      <SearchDomains key={settings.search_domains.join()} domains={settings.search_domains} editable={isAdmin} />
    </Card>
  );
}

function SearchDomains({ domains, editable }: { domains: string[]; editable: boolean }) {
  const [text, setText] = useState(domains.join(", "));
  const save = useDnsChange("update_settings", "Search domains saved");
  if (!editable) {
    return (
      <div className="mt-2 border-t border-line pt-2.5">
        <Facts>
          <Fact name="Search domains">
            {domains.length
              ? domains.map((domain) => (
                  <Badge key={domain} mono>
                    {domain}
                  </Badge>
                ))
              : "None"}
          </Fact>
        </Facts>
      </div>
    );
  }
  return (
    <form
      className="mt-2 flex flex-wrap items-start gap-2 border-t border-line pt-3.5"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate({ search_domains: listOf(text) });
      }}
    >
      <div className="min-w-52 flex-1">
        <TextField
          label="Search domains"
          placeholder="corp.example"
          hint="Tried after your own domain when a short name is asked for. Six at most, separated by commas."
          className="font-mono"
          value={text}
          onChange={(event) => setText(event.target.value)}
          error={save.error ? messageOf(save.error) : null}
        />
      </div>
      <Button type="submit" className="mt-6.5" busy={save.isPending} disabled={save.isPending || listOf(text).join() === domains.join()}>
        Save
      </Button>
    </form>
  );
}
