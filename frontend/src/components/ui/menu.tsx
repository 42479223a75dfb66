import { clsx } from "clsx";
import { DropdownMenu } from "radix-ui";
import { useContext, type ReactNode } from "react";
import { LayerContext } from "./layer";

interface MenuProps {
  trigger: ReactNode;
  children: ReactNode;
  align?: "start" | "end";
  side?: "top" | "bottom";
  className?: string;
}

/** A menu that opens from `trigger`, one focusable element. */
export function Menu({ trigger, children, align = "end", side = "bottom", className }: MenuProps) {
  const layer = useContext(LayerContext);
  return (
    // Not modal: locking the page's scroll would need an inline style sheet, which the served policy forbids.
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal container={layer}>
        <DropdownMenu.Content
          align={align}
          side={side}
          sideOffset={6}
          collisionPadding={8}
          className={clsx(
            "z-40 max-h-[70dvh] min-w-52 overflow-y-auto rounded-xl border border-line bg-surface p-1 shadow-float animate-enter",
            className,
          )}
        >
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

interface ItemProps {
  icon?: ReactNode;
  children: ReactNode;
  onSelect: () => void;
  danger?: boolean;
  checked?: boolean;
}

export function MenuItem({ icon, children, onSelect, danger, checked }: ItemProps) {
  const className = clsx(
    "flex items-center gap-2.5 rounded-lg px-2.5 py-1.75 outline-none select-none data-highlighted:bg-sunken [&_svg]:size-4 [&_svg]:shrink-0",
    danger ? "text-red" : "[&_svg]:text-muted",
  );
  if (checked !== undefined) {
    return (
      <DropdownMenu.CheckboxItem checked={checked} onSelect={onSelect} className={className}>
        {icon}
        <span className="min-w-0 flex-1">{children}</span>
        {checked && <span className="size-1.5 rounded-full bg-accent" aria-hidden />}
      </DropdownMenu.CheckboxItem>
    );
  }
  return (
    <DropdownMenu.Item onSelect={onSelect} className={className}>
      {icon}
      <span className="min-w-0 flex-1">{children}</span>
    </DropdownMenu.Item>
  );
}

export function MenuSeparator() {
  return <DropdownMenu.Separator className="mx-1 my-1 h-px bg-line" />;
}

export function MenuLabel({ children }: { children: ReactNode }) {
  return <DropdownMenu.Label className="px-2.5 pt-2 pb-1 text-[0.78rem] font-medium text-muted">{children}</DropdownMenu.Label>;
}
