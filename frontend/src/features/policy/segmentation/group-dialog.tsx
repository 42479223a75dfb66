import { useCurrentOrg } from "@/api/current-org";
import { groupsQuery } from "@/api/named";
import type { SegmentationGroup } from "@/api/tables";
import { Contest, useContested } from "@/components/contested";
import { GroupDot } from "@/components/end-chips";
import { PlannedForm, usePlanning } from "@/components/plans/planned-form";
import { saving } from "@/components/plans/row-changes";
import { Dialog } from "@/components/ui/dialog";
import { TextField } from "@/components/ui/field";
import { changedColumns } from "@/lib/contested";

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
const blankGroup = { name: "", description: "", color: "#6366f1" };
const labels = { name: "Name", description: "Description", color: "Colour" };

/** Makes a group, or changes one; rules that name it follow a new name. */
export function GroupDialog({ group, onClose }: { group: SegmentationGroup | null; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const contest = useContested({ opened: group, query: groupsQuery(org.id), draftOf, blank: blankGroup });
  const { draft } = contest;
  const planning = usePlanning({
    title: group ? `Change ${group.name}` : `Create ${draft.name.trim()}`,
    done: group ? "Group updated" : "Group created",
    async changes() {
      const seen = await contest.fresh();
      return saving("segmentation_groups", seen, seen ? changedColumns(valuesOf(draftOf(seen)), valuesOf(draft)) : valuesOf(draft));
    },
  });
  const change = (values: Partial<GroupDraft>) => {
    contest.change(values);
    planning.reset();
  };
  return (
    <Dialog title={group ? `Edit ${group.name}` : "Create group"} onClose={onClose}>
      <PlannedForm planning={planning} shownAt={["name"]} disabled={contest.gone || (group !== null && !contest.changed)} onClose={onClose}>
        <Contest noun="group" labels={labels} contest={contest} />
        <TextField
          label="Name"
          required
          maxLength={64}
          pattern="[A-Za-z0-9 _\-]{1,64}"
          title="Letters, digits, blanks, - and _"
          hint={group && draft.name.trim() !== group.name ? "Rules that name this group follow the new name." : "Letters, digits, blanks, - and _."}
          value={draft.name}
          onChange={(event) => change({ name: event.target.value })}
          error={planning.errorAt("name")}
        />
        <TextField label="Description" maxLength={500} value={draft.description} onChange={(event) => change({ description: event.target.value })} />
        <fieldset>
          <legend className="mb-1.5 text-[0.83rem] font-medium">Colour</legend>
          <div className="flex flex-wrap gap-1.5">
            {Object.entries({ ...(draft.color in colours ? {} : { [draft.color]: draft.color }), ...colours }).map(([value, text]) => (
              <label key={value} title={text} className="grid size-8.5 cursor-pointer place-items-center rounded-full border-2 border-transparent has-checked:border-ink has-focus-visible:outline-2 has-focus-visible:outline-accent [&_svg]:!size-5.5">
                <input type="radio" name="color" className="sr-only" aria-label={text} checked={draft.color === value} onChange={() => change({ color: value })} />
                <GroupDot colour={value} />
              </label>
            ))}
          </div>
        </fieldset>
      </PlannedForm>
    </Dialog>
  );
}

type GroupDraft = typeof blankGroup;

function draftOf({ name, description, color }: SegmentationGroup): GroupDraft {
  return { name, description: description ?? "", color };
}

function valuesOf({ name, description, color }: GroupDraft) {
  return { name: name.trim(), description: description.trim() || null, color };
}
