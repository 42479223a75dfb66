import { Link } from "@tanstack/react-router";
import { clsx } from "clsx";
import { CircleAlert, CircleCheck, Hourglass } from "lucide-react";
import { useSyncExternalStore } from "react";
import { messageOf, planKept } from "@/api/error";

interface Toast {
  id: number;
  text: string;
  kind: "done" | "failed" | "waits";
  /** The plan that it is about. */
  planId?: string;
}

const SHOWN_MS = 5_000;
let toasts: readonly Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function publish(next: readonly Toast[]) {
  toasts = next;
  for (const listener of listeners) listener();
}

function show(text: string, kind: Toast["kind"], planId?: string) {
  const id = nextId++;
  publish([...toasts.slice(-2), { id, text, kind, planId }]);
  setTimeout(() => publish(toasts.filter((toast) => toast.id !== id)), SHOWN_MS);
}

/** Short news of what has just been done, or has failed, outside any form. */
export const toast = {
  done: (text: string) => show(text, "done"),
  failed: (text: string) => show(text, "failed"),
  /** A change that waits for a second administrator, and the way to it. */
  waits: (text: string, planId: string) => show(text, "waits", planId),
  /** Why a call was not done; one that was kept as a plan waits. */
  refused(error: unknown) {
    const planId = planKept(error);
    if (planId === null) this.failed(messageOf(error));
    else this.waits(messageOf(error), planId);
  },
};

const icons = {
  done: <CircleCheck className="text-green" aria-hidden />,
  failed: <CircleAlert className="text-red" aria-hidden />,
  waits: <Hourglass className="text-yellow" aria-hidden />,
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
      {shown.map(({ id, text, kind, planId }) => (
        <p
          key={id}
          className="flex max-w-md items-center gap-2.5 rounded-xl border border-line bg-surface px-4 py-3 shadow-float animate-enter [&_svg]:size-4.5 [&_svg]:shrink-0"
        >
          {icons[kind]}
          <span className={clsx("min-w-0 break-words", kind === "failed" && "text-red")}>{text}</span>
          {planId && (
            <Link to="/acls/plans/$planId" params={{ planId }} className="pointer-events-auto shrink-0 rounded font-medium text-accent hover:underline">
              Open the plan
            </Link>
          )}
        </p>
      ))}
    </div>
  );
}
