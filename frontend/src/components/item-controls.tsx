import { Pencil, Trash2 } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "./ui/button";
import { Switch } from "./ui/switch";

interface IconButtonProps {
  label: string;
  icon: ReactNode;
  onClick: () => void;
  disabled?: boolean;
}

/** A small button that is only an icon, named for those who do not see it. */
export function IconButton({ label, icon, ...rest }: IconButtonProps) {
  return (
    <Button tone="ghost" size="icon" className="size-8" aria-label={label} title={label} {...rest}>
      {icon}
    </Button>
  );
}

interface Props {
  name: string;
  onEdit: () => void;
  onDelete: () => void;
}

/** Edit and delete of one thing in a list. */
export function EditDelete({ name, onEdit, onDelete }: Props) {
  return (
    <>
      <IconButton label={`Edit ${name}`} icon={<Pencil />} onClick={onEdit} />
      <IconButton label={`Delete ${name}`} icon={<Trash2 />} onClick={onDelete} />
    </>
  );
}

interface SwitchedProps extends Props {
  enabled: boolean;
  busy?: boolean;
  onSwitch: (enabled: boolean) => void;
}

/** The same for things that can be switched off. */
export function SwitchedControls({ enabled, busy, onSwitch, ...rest }: SwitchedProps) {
  return (
    <>
      <EditDelete {...rest} />
      <Switch aria-label={`${rest.name} enabled`} checked={enabled} disabled={busy} onChange={onSwitch} />
    </>
  );
}
