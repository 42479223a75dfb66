import { useState } from "react";
import type { RecordType } from "@/api/answers";
import { ApiError, messageOf } from "@/api/error";
import { FormFailure } from "@/components/confirm";
import { Button } from "@/components/ui/button";
import { Dialog, DialogActions } from "@/components/ui/dialog";
import { SelectField, TextField } from "@/components/ui/field";
import { useDnsChange } from "./queries";

const types: Record<RecordType, { text: string; placeholder: string }> = {
  A: { text: "A, an IPv4 address", placeholder: "192.168.1.20" },
  AAAA: { text: "AAAA, an IPv6 address", placeholder: "fd00::20" },
  CNAME: { text: "CNAME, another name", placeholder: "web or files.example.com" },
  TXT: { text: "TXT, a text", placeholder: "any text" },
};

export function RecordDialog({ domain, onClose }: { domain: string; onClose: () => void }) {
  const [name, setName] = useState("");
  const [type, setType] = useState<RecordType>("A");
  const [value, setValue] = useState("");
  const add = useDnsChange("add_record", "Record added");
  const field = add.error instanceof ApiError ? add.error.field : undefined;
  const errorAt = (place: string) => (add.error && field === place ? messageOf(add.error) : null);
  return (
    <Dialog title="Add record" onClose={onClose}>
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate({ name: name.trim(), type, value: value.trim() }, { onSuccess: onClose });
        }}
      >
        <TextField
          label="Name"
          required
          maxLength={253}
          placeholder="printer"
          className="font-mono"
          autoCapitalize="none"
          spellCheck={false}
          hint={`A short name becomes a name under ${domain}.`}
          value={name}
          onChange={(event) => setName(event.target.value)}
          error={errorAt("name")}
        />
        <SelectField label="Type" value={type} onChange={(event) => setType(event.target.value as RecordType)}>
          {Object.entries(types).map(([key, { text }]) => (
            <option key={key} value={key}>
              {text}
            </option>
          ))}
        </SelectField>
        <TextField
          label="Value"
          required
          maxLength={255}
          placeholder={types[type].placeholder}
          className="font-mono"
          autoCapitalize="none"
          spellCheck={false}
          value={value}
          onChange={(event) => setValue(event.target.value)}
          error={errorAt("value")}
        />
        <FormFailure text={add.error && !errorAt("name") && !errorAt("value") ? messageOf(add.error) : null} />
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
