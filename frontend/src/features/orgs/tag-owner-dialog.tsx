import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import { orgKey } from "@/api/keys";
import { membersQuery } from "@/api/members";
import { addRow } from "@/api/rows";
import type { TagOwner } from "@/api/tables";
import { FormFailure } from "@/components/confirm";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { bareTag, candidates, nameOf } from "./tag-owners";

/** Gives a tag to a member, who may then put it on his own machines. */
export function TagOwnerDialog({ owners, onClose }: { owners: readonly TagOwner[]; onClose: () => void }) {
  const { org } = useCurrentOrg();
  const client = useQueryClient();
  const members = useQuery(membersQuery(org.id));
  const [tag, setTag] = useState("");
  const [chosen, setChosen] = useState("");
  const offered = candidates(members.data ?? [], owners, tag);
  const person = offered.some(({ user_id }) => user_id === chosen) ? chosen : "";
  const add = useMutation({
    mutationFn: () => addRow("tag_owners", org.id, { tag: bareTag(tag), principal: "user", principal_id: person }),
    onSuccess: async () => {
      toast.done("Tag owner added");
      await client.invalidateQueries({ queryKey: orgKey(org.id, "tag_owners") });
      onClose();
    },
  });
  const field = add.error instanceof ApiError ? add.error.field : null;
  const atTag = add.error && (field === "tag" || field === "tags") ? messageOf(add.error) : null;
  const failure = add.error ?? members.error;
  return (
    <Dialog title="Add tag owner" onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <TextField label="Tag" required maxLength={54} placeholder="prod" className="font-mono" autoCapitalize="none" spellCheck={false} hint="Rules that name the tag let his machines through as soon as he sets it." value={tag} onChange={(event) => setTag(event.target.value)} error={atTag} />
        <SelectField label="Owner" required value={person} onChange={(event) => setChosen(event.target.value)} hint={members.data && offered.length === 0 ? "Everybody owns this tag." : undefined}>
          <option value="">Choose a member</option>
          {offered.map((member) => (
            <option key={member.user_id} value={member.user_id}>
              {nameOf(member)}
            </option>
          ))}
        </SelectField>
        <FormFailure text={failure && !atTag ? messageOf(failure) : null} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={add.isPending} disabled={add.isPending || !person || !bareTag(tag)}>
            Add
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
