import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import type { NamedMachine } from "@/api/named";
import { addRows } from "@/api/rows";
import type { SegmentationGroup } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { plural } from "@/lib/time";

/** Chooses many machines at once, narrowed by name, address or tag. */
export function BulkAddDialog({ group, outside, onClose }: { group: SegmentationGroup; outside: NamedMachine[]; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const wanted = text.trim().toLowerCase();
  const shown = outside.filter(({ name, tailnet_ip, tags }) => [name, tailnet_ip, ...tags].some((word) => word.toLowerCase().includes(wanted)));
  const allShown = shown.length > 0 && shown.every(({ id }) => chosen.has(id));
  const count = outside.filter(({ id }) => chosen.has(id)).length;
  const add = useMutation({
    mutationFn: () =>
      addRows(
        "segmentation_group_members",
        org.id,
        outside.filter(({ id }) => chosen.has(id)).map(({ id }) => ({ group_id: group.id, machine_id: id })),
      ),
    onSuccess: async () => {
      toast.done(`${plural(count, "machine")} added to group`);
      await client.invalidateQueries({ queryKey: orgKey(org.id, "segmentation_group_members") });
      onClose();
    },
  });
  function mark(ids: readonly string[], on: boolean) {
    const next = new Set(chosen);
    for (const id of ids) {
      if (on) next.add(id);
      else next.delete(id);
    }
    setChosen(next);
  }
  return (
    <Dialog title={`Add machines to ${group.name}`} onClose={onClose}>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
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
        <FormFailure text={add.error ? messageOf(add.error) : null} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={add.isPending} disabled={add.isPending || count === 0}>
            Add {plural(count, "Machine")}
          </Button>
        </DialogActions>
      </form>
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
