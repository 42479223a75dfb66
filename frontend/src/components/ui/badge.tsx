import { clsx } from "clsx";
import type { ReactNode } from "react";

export type Colour = "green" | "grey" | "yellow" | "orange" | "red" | "blue" | "violet" | "accent";

const colours: Record<Colour, string> = {
  green: "bg-green-soft text-green",
  grey: "bg-grey-soft text-grey",
  yellow: "bg-yellow-soft text-yellow",
  orange: "bg-orange-soft text-orange",
  red: "bg-red-soft text-red",
  blue: "bg-blue-soft text-blue",
  violet: "bg-violet-soft text-violet",
  accent: "bg-accent text-accent-ink",
};

interface Props {
  colour?: Colour;
  outlined?: boolean;
  mono?: boolean;
  title?: string;
  children: ReactNode;
}

export function Badge({ colour = "grey", outlined, mono, title, children }: Props) {
  return (
    <span
      title={title}
      className={clsx(
        "inline-flex max-w-full items-center gap-1 rounded-md px-1.75 py-0.25 text-[0.77rem] leading-5 font-medium whitespace-nowrap [&_svg]:size-3.25 [&_svg]:shrink-0",
        outlined ? "border border-line-strong text-ink" : colours[colour],
        mono && "font-mono text-[0.74rem]",
      )}
    >
      {children}
    </span>
  );
}

const dots = { green: "bg-green-dot", grey: "bg-grey-dot", yellow: "bg-yellow-dot", red: "bg-red-dot" } as const;

export type DotColour = keyof typeof dots;

export function Dot({ colour, pulse }: { colour: DotColour; pulse?: boolean }) {
  return <span aria-hidden className={clsx("inline-block size-2 shrink-0 rounded-full", dots[colour], pulse && "animate-breathe")} />;
}
