import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { membersQuery } from "@/api/members";
import { FormFailure } from "@/components/confirm";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { endOfDay, plural } from "@/lib/time";
import { review, useRefreshReviews } from "./queries";

const FORTNIGHT_MS = 14 * 24 * 60 * 60 * 1000;

export function CreateDialog({ onClose }: { onClose: () => void }) {
  const { org, user } = useCurrentOrg();
  const refresh = useRefreshReviews(org.id);
  const { data: members = [] } = useQuery(membersQuery(org.id));
  const [draft, setDraft] = useState(() => ({ name: "", description: "", reviewer: user.id, due: new Date(Date.now() + FORTNIGHT_MS).toISOString().slice(0, 10) }));
  const change = (values: Partial<typeof draft>) => setDraft({ ...draft, ...values });
  const create = useMutation({
    mutationFn: () =>
      review<{ machines_to_review: number; rules_to_review: number }>(org.id, "create_review_campaign", {
        name: draft.name.trim(),
        reviewer_user_id: draft.reviewer,
        due_date: endOfDay(draft.due),
        ...(draft.description.trim() && { description: draft.description.trim() }),
      }),
    onSuccess: async ({ machines_to_review, rules_to_review }) => {
      await refresh();
      toast.done(`Review started: ${plural(machines_to_review, "machine")}, ${plural(rules_to_review, "rule")}`);
      onClose();
    },
  });
  return (
    <Dialog title="New access review" description="Lists every machine and every enabled rule as they are now." onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <TextField label="Name" required maxLength={100} placeholder="Fourth quarter" value={draft.name} onChange={(event) => change({ name: event.target.value })} />
        <TextField label="Description" maxLength={500} value={draft.description} onChange={(event) => change({ description: event.target.value })} />
        <div className="grid gap-4 sm:grid-cols-2">
          <SelectField label="Reviewer" value={draft.reviewer} onChange={(event) => change({ reviewer: event.target.value })} hint="Is told by mail.">
            {members.map(({ user_id, email, full_name }) => (
              <option key={user_id} value={user_id}>
                {full_name?.trim() ? full_name : email}
              </option>
            ))}
          </SelectField>
          <TextField label="Due" type="date" required min={new Date().toISOString().slice(0, 10)} value={draft.due} onChange={(event) => change({ due: event.target.value })} />
        </div>
        <FormFailure text={create.error ? messageOf(create.error) : null} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={create.isPending}>
            Start
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
