import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import type { NamedMachine } from "@/api/named";
import type { SegmentationGroup } from "@/api/tables";
import { PlannedForm, usePlanning } from "@/components/plans/planned-form";
import { Badge } from "@/components/ui/badge";
import { Dialog } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { plural } from "@/lib/time";
import { joining } from "./changes";

/** Chooses many machines at once, narrowed by name, address or tag. */
export function BulkAddDialog({ group, outside, onClose }: { group: SegmentationGroup; outside: NamedMachine[]; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const wanted = text.trim().toLowerCase();
  const shown = outside.filter(({ name, tailnet_ip, tags }) => [name, tailnet_ip, ...tags].some((word) => word.toLowerCase().includes(wanted)));
  const allShown = shown.length > 0 && shown.every(({ id }) => chosen.has(id));
  const wantedIds = outside.filter(({ id }) => chosen.has(id)).map(({ id }) => id);
  const planning = usePlanning(joining(org.id, group, wantedIds));
  function mark(ids: readonly string[], on: boolean) {
    const next = new Set(chosen);
    for (const id of ids) {
      if (on) next.add(id);
      else next.delete(id);
    }
    setChosen(next);
    planning.reset();
  }
  return (
    <Dialog title={`Add machines to ${group.name}`} onClose={onClose}>
      <PlannedForm planning={planning} shownAt={[]} disabled={wantedIds.length === 0} submit={`Add ${plural(wantedIds.length, "Machine")}`} onClose={onClose}>
        <TextField label="Name, address or tag" type="search" value={text} onChange={(event) => setText(event.target.value)} />
        <div className="max-h-72 overflow-y-auto rounded-xl border border-line">
          {shown.length === 0 ? (
            <p className="px-3.5 py-3 text-muted">{outside.length === 0 ? "All machines are already in this group" : "No machine matches."}</p>
          ) : (
            <>
              <Line checked={allShown} onChange={(on) => mark(shown.map(({ id }) => id), on)}>
                <span className="text-muted">{wanted ? `All ${shown.length} found` : `All ${shown.length}`}</span>
              </Line>
              {shown.map(({ id, name, tailnet_ip, tags }) => (
                <Line key={id} checked={chosen.has(id)} onChange={(on) => mark([id], on)}>
                  <span className="min-w-0 truncate font-medium">{name}</span>
                  <span className="font-mono text-[0.78rem] text-muted">{tailnet_ip}</span>
                  {tags.slice(0, 2).map((tag) => (
                    <Badge key={tag} mono colour="blue">
                      {tag}
                    </Badge>
                  ))}
                </Line>
              ))}
            </>
          )}
        </div>
      </PlannedForm>
    </Dialog>
  );
}

function Line({ checked, onChange, children }: { checked: boolean; onChange: (checked: boolean) => void; children: React.ReactNode }) {
  return (
    <label className="flex cursor-pointer items-center gap-3 border-b border-line px-3.5 py-2 last:border-0 hover:bg-sunken">
      <input type="checkbox" className="size-4 accent-accent" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      {children}
    </label>
  );
}
