import { useState } from "react";
import type { Nameserver } from "@/api/answers";
import { ApiError, messageOf } from "@/api/error";
import { FormFailure } from "@/components/confirm";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { listOf } from "@/lib/list";
import { useDnsChange } from "./queries";

export function NameserverDialog({ onClose }: { onClose: () => void }) {
  const [nameserver, setNameserver] = useState("");
  const [type, setType] = useState<Nameserver["type"]>("global");
  const [domains, setDomains] = useState("");
  const add = useDnsChange("add_nameserver", "Nameserver added");
  const field = add.error instanceof ApiError ? add.error.field : undefined;
  const errorAt = (name: string) => (add.error && field === name ? messageOf(add.error) : null);
  return (
    <Dialog title="Add nameserver" onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          const values = { nameserver: nameserver.trim(), type, ...(type === "split" && { domains: listOf(domains) }) };
          add.mutate(values, { onSuccess: onClose });
        }}
      >
        <TextField
          label="Nameserver"
          required
          maxLength={300}
          placeholder="9.9.9.9"
          className="font-mono"
          autoCapitalize="none"
          spellCheck={false}
          hint="An IP address, or tls:// and a host for DNS over TLS, such as tls://dns.quad9.net@9.9.9.9."
          value={nameserver}
          onChange={(event) => setNameserver(event.target.value)}
          error={errorAt("nameserver")}
        />
        <SelectField label="Asked for" value={type} onChange={(event) => setType(event.target.value as Nameserver["type"])}>
          <option value="global">All other names</option>
          <option value="split">Some domains only (split DNS)</option>
        </SelectField>
        {type === "split" && (
          <TextField
            label="Domains"
            required
            placeholder="corp.example, lab.example"
            className="font-mono"
            autoCapitalize="none"
            spellCheck={false}
            hint="With everything under them. Separated by commas."
            value={domains}
            onChange={(event) => setDomains(event.target.value)}
            error={errorAt("domains")}
          />
        )}
        <FormFailure text={add.error && !errorAt("nameserver") && !errorAt("domains") ? messageOf(add.error) : null} />
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" tone="primary" busy={add.isPending}>
            Add
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
