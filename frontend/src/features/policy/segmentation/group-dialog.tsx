import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import { addRow, changeRow } from "@/api/rows";
import type { SegmentationGroup } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import { GroupDot } from "@/components/end-chips";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";

const colours: Record<string, string> = {
  "#6366f1": "indigo",
  "#0ea5e9": "blue",
  "#14b8a6": "teal",
  "#22c55e": "green",
  "#eab308": "yellow",
  "#f97316": "orange",
  "#ef4444": "red",
  "#ec4899": "pink",
  "#8b5cf6": "violet",
  "#64748b": "grey",
};
const FIRST_COLOUR = "#6366f1";

/** Makes a group, or changes one; rules that name it follow a new name. */
export function GroupDialog({ group, onClose }: { group: SegmentationGroup | null; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const [name, setName] = useState(group?.name ?? "");
  const [description, setDescription] = useState(group?.description ?? "");
  const [color, setColor] = useState(group?.color ?? FIRST_COLOUR);
  const save = useMutation({
    mutationFn: async () => {
      const values = { name: name.trim(), description: description.trim() || null, color };
      await (group ? changeRow("segmentation_groups", org.id, group.id, values) : addRow("segmentation_groups", org.id, values));
    },
    onSuccess: async () => {
      await Promise.all(["segmentation_groups", "acl_rules"].map((topic) => client.invalidateQueries({ queryKey: orgKey(org.id, topic) })));
      toast.done(group ? "Group updated" : "Group created");
      onClose();
    },
  });
  const atName = save.error instanceof ApiError && save.error.field === "name";
  return (
    <Dialog title={group ? `Edit ${group.name}` : "Create group"} onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <TextField
          label="Name"
          required
          maxLength={64}
          pattern="[A-Za-z0-9 _\-]{1,64}"
          title="Letters, digits, blanks, - and _"
          hint={group && name.trim() !== group.name ? "Rules that name this group follow the new name." : "Letters, digits, blanks, - and _."}
          value={name}
          onChange={(event) => setName(event.target.value)}
          error={atName ? messageOf(save.error) : null}
        />
        <TextField label="Description" maxLength={500} value={description} onChange={(event) => setDescription(event.target.value)} />
        <fieldset>
          <legend className="mb-1.5 text-[0.83rem] font-medium">Colour</legend>
          <div className="flex flex-wrap gap-1.5">
            {Object.entries({ ...(color in colours ? {} : { [color]: color }), ...colours }).map(([value, text]) => (
              <label key={value} title={text} className="grid size-8.5 cursor-pointer place-items-center rounded-full border-2 border-transparent has-checked:border-ink has-focus-visible:outline-2 has-focus-visible:outline-accent [&_svg]:!size-5.5">
                <input type="radio" name="color" className="sr-only" aria-label={text} checked={color === value} onChange={() => setColor(value)} />
                <GroupDot colour={value} />
              </label>
            ))}
          </div>
        </fieldset>
        <FormFailure text={save.error && !atName ? messageOf(save.error) : null} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={save.isPending}>
            {group ? "Save" : "Create"}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
