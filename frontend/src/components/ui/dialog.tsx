import { clsx } from "clsx";
import { X } from "lucide-react";
import { useId, useLayoutEffect, useRef, type ReactNode } from "react";
import { Button } from "./button";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  description?: ReactNode;
  /** A drawer stands at the right edge, for reading beside a list. */
  as?: "dialog" | "drawer";
  /** False keeps Esc from closing, where a secret is shown once. */
  dismissable?: boolean;
  /** For what is looked at rather than filled in. */
  wide?: boolean;
}

const shapes = {
  dialog: "m-auto max-h-[88dvh] rounded-2xl animate-enter",
  drawer: "mr-0 ml-auto h-dvh max-h-dvh w-[min(30rem,100vw)] rounded-l-2xl animate-slide-in",
};

/** A modal on the browser's own dialog: focus is kept inside and returned by the platform. Mounted means open. */
export function Dialog({ title, description, onClose, children, as = "dialog", dismissable = true, wide }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  // Closed while it still stands in the page: the platform gives no focus back for a dialog that was taken out.
  useLayoutEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={titleId}
      className={clsx("overflow-y-auto border border-line bg-surface p-0 text-left text-ink shadow-float", shapes[as], as === "dialog" && (wide ? "w-[min(46rem,calc(100vw-1.5rem))]" : "w-[min(32rem,calc(100vw-1.5rem))]"))}
      onCancel={(event) => {
        event.preventDefault();
        // React hands it up to the dialog that this one stands on, and what was typed there would be gone.
        event.stopPropagation();
        if (dismissable) onClose();
      }}
    >
      <header className="flex items-start gap-3 px-5 pt-5 pb-1">
        <div className="min-w-0 flex-1">
          <h2 id={titleId} className="text-[1.06rem] font-semibold tracking-tight text-balance wrap-anywhere">
            {title}
          </h2>
          {description && <div className="mt-1 text-muted">{description}</div>}
        </div>
        {dismissable && (
          <Button tone="ghost" size="icon" className="-mt-1.5 -mr-2" onClick={onClose} aria-label="Close">
            <X />
          </Button>
        )}
      </header>
      <div className="px-5 pt-3 pb-5">{children}</div>
    </dialog>
  );
}

/** Buttons that stay in sight however long the dialog is; what goes on beneath them fades. */
export function DialogActions({ children }: { children: ReactNode }) {
  return <div className="sticky bottom-0 z-10 -mx-5 mt-2 -mb-5 flex flex-wrap justify-end gap-2 bg-surface px-5 pt-3 pb-5 before:pointer-events-none before:absolute before:inset-x-0 before:bottom-full before:h-5 before:bg-linear-to-t before:from-surface before:to-transparent">{children}</div>;
}
