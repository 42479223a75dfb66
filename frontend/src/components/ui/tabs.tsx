import { clsx } from "clsx";
import { Tabs as RadixTabs } from "radix-ui";
import type { ReactNode } from "react";

interface Props<T extends string> {
  label: string;
  value: T;
  onChange: (value: T) => void;
  tabs: readonly { value: T; label: ReactNode; content: ReactNode }[];
  stretched?: boolean;
}

/** Tabs whose choice the page holds, as a rule in its URL. */
export function Tabs<T extends string>({ label, value, onChange, tabs, stretched }: Props<T>) {
  return (
    <RadixTabs.Root value={value} onValueChange={(next) => onChange(next as T)}>
      <RadixTabs.List aria-label={label} className="mb-5 flex gap-1 overflow-x-auto border-b border-line">
        {tabs.map((tab) => (
          <RadixTabs.Trigger
            key={tab.value}
            value={tab.value}
            className={clsx(
              "-mb-px flex items-center gap-2 border-b-2 border-transparent px-3 py-2 font-medium whitespace-nowrap text-muted -outline-offset-2",
              "hover:text-ink data-[state=active]:border-accent data-[state=active]:text-ink",
              stretched && "flex-1 justify-center",
            )}
          >
            {tab.label}
          </RadixTabs.Trigger>
        ))}
      </RadixTabs.List>
      {tabs.map((tab) => (
        <RadixTabs.Content key={tab.value} value={tab.value} tabIndex={-1}>
          {tab.content}
        </RadixTabs.Content>
      ))}
    </RadixTabs.Root>
  );
}
