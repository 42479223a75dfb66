import { clsx } from "clsx";
import { LoaderCircle } from "lucide-react";
import type { ComponentProps } from "react";

type Tone = "primary" | "quiet" | "ghost" | "danger";
type Size = "sm" | "md" | "icon";

const tones: Record<Tone, string> = {
  primary: "bg-accent text-accent-ink hover:bg-accent-hover shadow-card",
  quiet: "border border-line-strong bg-surface text-ink hover:bg-sunken",
  ghost: "text-ink hover:bg-sunken",
  danger: "bg-red text-surface hover:bg-red-hover shadow-card",
};
const sizes: Record<Size, string> = {
  sm: "h-8 px-2.5 text-[0.83rem]",
  md: "h-9 px-3.5",
  icon: "size-9",
};

/** The classes of a button, for links that look like one. */
export function buttonClass(tone: Tone = "quiet", size: Size = "md", extra?: string): string {
  return clsx(
    "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-lg font-medium whitespace-nowrap transition-colors",
    "disabled:pointer-events-none disabled:opacity-50 [&_svg]:size-4 [&_svg]:shrink-0",
    tones[tone],
    sizes[size],
    extra,
  );
}

type Props = ComponentProps<"button"> & { tone?: Tone; size?: Size; busy?: boolean };

export function Button({ tone, size, busy, className, children, disabled, type = "button", ...rest }: Props) {
  return (
    <button type={type} disabled={disabled ?? busy} aria-busy={busy} className={buttonClass(tone, size, className)} {...rest}>
      {busy && <LoaderCircle className="animate-spin" aria-hidden />}
      {children}
    </button>
  );
}
