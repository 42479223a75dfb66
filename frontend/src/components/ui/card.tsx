import { clsx } from "clsx";
import { useId, type ReactNode } from "react";

interface Props {
  title?: string;
  subtitle?: ReactNode;
  actions?: ReactNode;
  className?: string;
  children: ReactNode;
}

export function Card({ title, subtitle, actions, className, children }: Props) {
  const id = useId();
  return (
    <section
      aria-labelledby={title ? id : undefined}
      className={clsx("min-w-0 rounded-2xl border border-line bg-surface p-4 shadow-card sm:p-5", className)}
    >
      {(title ?? actions) && (
        <header className="mb-3 flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
          <div className="min-w-0">
            <h2 id={id} className="font-semibold tracking-tight">
              {title}
            </h2>
            {subtitle && <p className="text-[0.83rem] text-muted">{subtitle}</p>}
          </div>
          {actions}
        </header>
      )}
      {children}
    </section>
  );
}

/** Rows of name and value. */
export function Facts({ children }: { children: ReactNode }) {
  return <dl className="divide-y divide-line">{children}</dl>;
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex min-w-0 items-baseline justify-between gap-4 py-2 first:pt-0 last:pb-0">
      <dt className="shrink-0 text-[0.85rem] text-muted">{name}</dt>
      <dd className="flex min-w-0 flex-wrap items-center justify-end gap-1.5 text-right break-words">{children}</dd>
    </div>
  );
}
