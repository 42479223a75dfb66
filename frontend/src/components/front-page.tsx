import type { ReactNode } from "react";
import { Brand } from "./brand";
import { useDocumentTitle } from "./page";

interface Props {
  title: string;
  lead?: ReactNode;
  children: ReactNode;
}

/** Pages outside the shell: one task in the middle, the product beside it where there is room. */
export function FrontPage({ title, lead, children }: Props) {
  useDocumentTitle(title);
  return (
    <div className="grid min-h-dvh grid-rows-[auto_1fr] lg:grid-cols-[minmax(22rem,0.8fr)_1fr] lg:grid-rows-1">
      <aside className="relative flex flex-col justify-between gap-8 overflow-hidden bg-rail p-5 text-rail-ink sm:p-6 lg:p-10">
        <div aria-hidden className="lattice absolute inset-0 text-rail-muted opacity-25 [mask-image:linear-gradient(to_bottom_left,black,transparent_72%)]" />
        <div className="relative">
          <Brand />
        </div>
        <div className="relative hidden lg:block">
          <Cell />
          <p className="mt-10 max-w-sm text-[1.7rem] leading-[1.2] font-semibold tracking-[-0.025em] text-balance">
            Your machines, one private network, wherever they are.
          </p>
          <p className="mt-4 max-w-sm text-pretty text-rail-muted">
            WireGuard tunnels between machines that prove who they are, with keys that hold against quantum computers too.
          </p>
        </div>
        <p className="relative hidden text-[0.8rem] text-rail-muted lg:block">Traffic goes from machine to machine. The control plane never sees it.</p>
      </aside>
      <main className="grid grid-cols-[minmax(0,25rem)] items-start justify-center px-4 py-8 sm:px-8 lg:items-center">
        <div>
          <h1 className="text-[1.45rem] leading-8 font-semibold tracking-[-0.02em] text-balance">{title}</h1>
          {lead && <p className="mt-1 text-pretty text-muted">{lead}</p>}
          <div className="mt-6">{children}</div>
        </div>
      </main>
    </div>
  );
}

/** Three machines and the tunnels between them, on the lattice. */
function Cell() {
  return (
    <svg viewBox="0 0 320 190" fill="none" aria-hidden className="w-full max-w-88">
      <g stroke="currentColor" strokeWidth="1.5" className="text-rail-muted/60">
        <path d="M60 40 160 95 60 150M160 95h110" strokeDasharray="2 6" strokeLinecap="round" />
      </g>
      <g className="text-spark" stroke="currentColor" strokeWidth="2" strokeLinecap="round">
        <path d="M60 40v110M60 40 270 95 60 150" />
      </g>
      {[
        [60, 40],
        [60, 150],
        [270, 95],
      ].map(([x, y]) => (
        <g key={`${x}-${y}`} transform={`translate(${x} ${y})`}>
          <path d="M0-25 21.700-12.500v25L0 25l-21.700-12.500v-25z" className="fill-rail stroke-spark" strokeWidth="2" strokeLinejoin="round" />
          <circle r="5.500" className="fill-spark" />
        </g>
      ))}
      <circle cx="160" cy="95" r="5" className="fill-rail stroke-rail-muted" strokeWidth="1.5" />
    </svg>
  );
}
