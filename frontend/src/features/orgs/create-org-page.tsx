import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "@/api/act";
import { rememberOrg } from "@/api/current-org";
import { ApiError, messageOf } from "@/api/error";
import { userKeys } from "@/api/keys";
import { FormFailure } from "@/components/confirm";
import { FrontPage } from "@/components/front-page";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { slugOf } from "./slug";

export function CreateOrgPage({ onCreated }: { onCreated: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [ownSlug, setOwnSlug] = useState<string | null>(null);
  const slug = ownSlug ?? slugOf(name);
  const create = useMutation({
    mutationFn: () => act("org-management", "create", { name: name.trim(), slug }),
    onSuccess: ({ id }) => {
      rememberOrg(id);
      client.removeQueries({ queryKey: userKeys.memberships });
      onCreated();
    },
  });
  const slugTaken = create.error instanceof ApiError && (create.error.code === "CONFLICT" || create.error.field === "slug");
  return (
    <FrontPage title="Create an organisation" lead="It holds your machines, your people and your rules. You become its owner.">
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <TextField label="Name" value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} placeholder="Acme Engineering" />
        <TextField
          label="Short name"
          value={slug}
          onChange={(event) => setOwnSlug(event.target.value.toLowerCase())}
          required
          maxLength={63}
          pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?"
          spellCheck={false}
          className="font-mono"
          error={slugTaken ? "This short name is taken. Choose another." : null}
          hint={
            <>
              Machines are named <span className="font-mono">host.{slug || "acme"}.zt.net</span>. It can't be changed later.
            </>
          }
        />
        <FormFailure text={create.error && !slugTaken ? messageOf(create.error) : null} />
        <Button type="submit" tone="primary" busy={create.isPending}>
          Create organisation
        </Button>
      </form>
    </FrontPage>
  );
}
