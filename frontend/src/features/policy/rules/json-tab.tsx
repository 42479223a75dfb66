import { Download } from "lucide-react";
import type { AclRule } from "@/api/tables";
import { CopyButton } from "@/components/copy";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { download } from "@/lib/download";
import { plural } from "@/lib/time";

const columns = ["name", "source", "destination", "protocol", "ports", "action", "priority", "enabled"] as const;
const optional = ["description", "starts_at", "expires_at", "time_hour", "day_of_week", "timezone", "source_country", "source_os", "require_posture", "require_pqc"] as const;

/** The rules as JSON that the API takes back: what asks nothing is left out. */
export function rulesJson(rules: readonly AclRule[]): string {
  const told = rules.map((rule) => ({
    ...Object.fromEntries(columns.map((name) => [name, rule[name]])),
    ...Object.fromEntries(optional.filter((name) => asksSomething(name, rule[name])).map((name) => [name, rule[name]])),
  }));
  return JSON.stringify({ acl_rules: told }, null, 2);
}

function asksSomething(name: string, value: unknown): boolean {
  return value !== null && value !== false && !(name === "timezone" && value === "UTC");
}

export function JsonTab({ rules, fileName }: { rules: readonly AclRule[]; fileName: string }) {
  const text = rulesJson(rules);
  return (
    <Card
      title="Policy as JSON"
      subtitle={`${plural(rules.length, "rule")} in the order in which they are judged.`}
      actions={
        <div className="flex items-center gap-1">
          <CopyButton text={text} label="policy" />
          <Button size="sm" onClick={() => download(fileName, "application/json", text)}>
            <Download /> Download
          </Button>
        </div>
      }
    >
      <pre className="overflow-x-auto rounded-lg bg-sunken p-3.5 font-mono text-[0.8rem]">
        {text}
      </pre>
    </Card>
  );
}
