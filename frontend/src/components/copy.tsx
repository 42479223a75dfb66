import { clsx } from "clsx";
import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { toast } from "./ui/toast";

/** A small button that puts `text` on the clipboard and says so. */
export function CopyButton({ text, label, className }: { text: string; label: string; className?: string }) {
  const [copied, setCopied] = useState(false);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    } catch {
      toast.failed("Your browser did not allow copying. Select the text instead.");
    }
  }
  return (
    <button
      type="button"
      onClick={() => void copy()}
      aria-label={copied ? "Copied" : `Copy ${label}`}
      title={copied ? "Copied" : `Copy ${label}`}
      className={clsx("inline-grid size-7 shrink-0 place-items-center rounded-md text-muted hover:bg-sunken hover:text-ink [&_svg]:size-3.75", className)}
    >
      {copied ? <Check className="text-green" /> : <Copy />}
    </button>
  );
}

/** A value in monospace with its copy button. */
export function Copyable({ text, shown, label }: { text: string; shown?: string; label: string }) {
  return (
    <span className="inline-flex min-w-0 items-center gap-0.5">
      <code className="min-w-0 font-mono text-[0.82rem] break-all">{shown ?? text}</code>
      <CopyButton text={text} label={label} />
    </span>
  );
}

/** A command to run in a terminal. */
export function Command({ text }: { text: string }) {
  return (
    <div className="flex items-center gap-2 rounded-lg border border-line bg-sunken py-1 pr-1 pl-3">
      <code className="min-w-0 flex-1 overflow-x-auto py-1 font-mono text-[0.82rem] whitespace-pre">
        <span aria-hidden className="text-muted select-none">
          ${" "}
        </span>
        {text}
      </code>
      <CopyButton text={text} label="command" />
    </div>
  );
}

/** A secret on the only occasion on which it is readable. */
export function SecretOnce({ secret, label, note = "Copy it now. Only its hash is kept, so it can't be shown again." }: { secret: string; label: string; note?: string }) {
  return (
    <div className="grid gap-2">
      <div className="flex items-center gap-2 rounded-lg border border-line-strong bg-sunken py-1 pr-1 pl-3">
        <code className="min-w-0 flex-1 py-1.5 font-mono text-[0.82rem] break-all select-all">{secret}</code>
        <CopyButton text={secret} label={label} />
      </div>
      <p className="text-[0.83rem] text-muted">{note}</p>
    </div>
  );
}
