import { clsx } from "clsx";
import { CircleAlert, CircleCheck } from "lucide-react";
import { useSyncExternalStore } from "react";

interface Toast {
  id: number;
  text: string;
  failed: boolean;
}

const SHOWN_MS = 5_000;
let toasts: readonly Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function publish(next: readonly Toast[]) {
  toasts = next;
  for (const listener of listeners) listener();
}

function show(text: string, failed: boolean) {
  const id = nextId++;
  publish([...toasts.slice(-2), { id, text, failed }]);
  setTimeout(() => publish(toasts.filter((toast) => toast.id !== id)), SHOWN_MS);
}

/** Short news of what has just been done, or has failed, outside any form. */
export const toast = {
  done: (text: string) => show(text, false),
  failed: (text: string) => show(text, true),
};

export function Toaster() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div role="status" aria-live="polite" className="pointer-events-none fixed inset-x-3 bottom-4 z-50 grid justify-items-center gap-2 sm:left-auto sm:right-5">
      {shown.map(({ id, text, failed }) => (
        <p
          key={id}
          className="flex max-w-md items-center gap-2.5 rounded-xl border border-line bg-surface px-4 py-3 shadow-float animate-enter [&_svg]:size-4.5 [&_svg]:shrink-0"
        >
          {failed ? <CircleAlert className="text-red" aria-hidden /> : <CircleCheck className="text-green" aria-hidden />}
          <span className={clsx("min-w-0 break-words", failed && "text-red")}>{text}</span>
        </p>
      ))}
    </div>
  );
}
