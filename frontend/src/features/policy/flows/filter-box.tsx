import { useState } from "react";
import { SearchBox } from "@/components/search-box";

/** What a typed text means to a filter: its value, or why it has none. */
export type Reading = { value: string | undefined } | { fault: string };

interface Props {
  label: string;
  /** The filter's value as people write it. */
  shown: string;
  read: (text: string) => Reading;
  onChange: (value: string | undefined) => void;
  suggestions?: readonly string[];
}

/** A text that narrows a list once it can be meant; says so while it can't. */
export function FilterBox({ label, shown, read, onChange, suggestions }: Props) {
  // A fault is of the text typed over one value: once the value changes, from here or from outside, it is history.
  const [fault, setFault] = useState<{ over: string; text: string } | null>(null);
  return (
    <div className="min-w-0 flex-1 basis-full sm:max-w-52 sm:basis-40">
      <SearchBox
        label={label}
        value={shown}
        suggestions={suggestions}
        onChange={(text) => {
          const reading = read(text);
          setFault("fault" in reading ? { over: shown, text: reading.fault } : null);
          if ("value" in reading) onChange(reading.value);
        }}
      />
      {fault?.over === shown && (
        <p role="alert" className="mt-1 text-[0.8rem] text-red">
          {fault.text}
        </p>
      )}
    </div>
  );
}
