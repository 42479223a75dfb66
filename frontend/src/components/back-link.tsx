import { Link, type LinkProps } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import type { ReactNode } from "react";

/** The way back to the list that a page belongs to. */
export function BackLink({ to, children }: { to: LinkProps["to"]; children: ReactNode }) {
  return (
    <Link to={to} className="mb-2 inline-flex items-center gap-1 rounded text-[0.85rem] text-muted hover:text-ink">
      <ChevronLeft className="size-4" aria-hidden /> {children}
    </Link>
  );
}
