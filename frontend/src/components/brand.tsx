import { clsx } from "clsx";

/** The mark: a lattice cell whose way out is the Q's tail. Takes the text colour; the inner edge is the spark. */
export function BrandMark({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 24 24" fill="none" aria-hidden className={clsx("shrink-0", className)}>
      <g stroke="currentColor" strokeWidth="1.9" strokeLinejoin="round" strokeLinecap="round">
        <path d="M12 2.6 20.2 7.300v9.400L12 21.400 3.800 16.700V7.300z" />
        <path d="m12 12 8.200 4.700" className="text-spark" />
      </g>
      <g fill="currentColor" className="text-spark">
        <circle cx="12" cy="12" r="2.600" />
        <circle cx="20.200" cy="16.700" r="2.200" />
      </g>
    </svg>
  );
}

export function Brand() {
  return (
    <span className="flex items-center gap-2.5 text-[1.06rem] font-semibold tracking-tight">
      <BrandMark className="size-6.5" />
      QuickZTNA
    </span>
  );
}
