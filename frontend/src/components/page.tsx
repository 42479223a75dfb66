import { useEffect, type ReactNode } from "react";

interface Props {
  title: string;
  subtitle?: ReactNode;
  actions?: ReactNode;
  /** The way back to the list this page belongs to. */
  back?: ReactNode;
  children: ReactNode;
}

/** A page under the shell: heading, subtitle, actions, content; names the browser's tab too. */
export function Page({ title, subtitle, actions, back, children }: Props) {
  useDocumentTitle(title);
  return (
    <div className="mx-auto w-full max-w-[84rem] px-4 py-5 sm:px-7 sm:py-7">
      {back}
      <header className="mb-5 flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
        <div className="min-w-0">
          <h1 className="text-[1.45rem] leading-8 font-semibold tracking-[-0.02em] text-balance">{title}</h1>
          {subtitle && <p className="text-muted">{subtitle}</p>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

export function useDocumentTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · QuickZTNA`;
  }, [title]);
}
