import { Search, X } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import { useDebounced } from "@/lib/debounced";

interface Props {
  label: string;
  value: string;
  onChange: (text: string) => void;
  /** What the browser offers to complete the text with. */
  suggestions?: readonly string[];
}

/** A search field whose text, once typing pauses, goes to the page's URL. Enter sends it at once, the X clears it. */
export function SearchBox({ label, value, onChange, suggestions }: Props) {
  const listId = useId();
  const [text, setText] = useState(value);
  const settled = useDebounced(text, 250);
  const sent = useRef(value);

  function send(next: string) {
    if (next === sent.current) return;
    sent.current = next;
    onChange(next);
  }
  useEffect(() => {
    send(settled.trim());
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only a pause in typing sends
  }, [settled]);
  useEffect(() => {
    // The URL changed from outside: Back, or "Clear filters".
    if (value !== sent.current) {
      sent.current = value;
      setText(value);
    }
  }, [value]);

  return (
    <div className="relative min-w-0 flex-1 basis-full sm:max-w-xs sm:basis-44">
      <Search aria-hidden className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-muted" />
      <input
        type="text"
        role="searchbox"
        aria-label={label}
        placeholder={label}
        list={suggestions && listId}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") send(text.trim());
        }}
        className="field px-9"
      />
      {suggestions && (
        <datalist id={listId}>
          {suggestions.map((suggestion) => (
            <option key={suggestion} value={suggestion} />
          ))}
        </datalist>
      )}
      {text && (
        <button
          type="button"
          aria-label="Clear search"
          onClick={() => {
            setText("");
            send("");
          }}
          className="absolute top-1/2 right-1.5 grid size-7 -translate-y-1/2 place-items-center rounded-md text-muted hover:bg-sunken"
        >
          <X className="size-4" />
        </button>
      )}
    </div>
  );
}
