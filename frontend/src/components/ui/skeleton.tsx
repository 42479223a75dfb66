import { clsx } from "clsx";

/** A place held for what is loading, in its final size. */
export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={clsx("animate-breathe rounded-lg bg-line", className)} />;
}

export function SkeletonLines({ count, className }: { count: number; className?: string }) {
  return (
    <div role="status" aria-label="Loading" className={clsx("grid gap-3", className)}>
      {Array.from({ length: count }, (_, i) => (
        <Skeleton key={i} className="h-9" />
      ))}
    </div>
  );
}
