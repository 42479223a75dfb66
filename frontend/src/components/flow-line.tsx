import { clsx } from "clsx";
import { ArrowRight } from "lucide-react";
import { serviceOf } from "@/lib/selectors";
import { EndChips, type EndNames } from "./end-chips";

interface Props {
  source: string;
  destination: string;
  service: { protocol: string; ports: string };
  names: EndNames;
  tone: "blue" | "red" | "muted";
  unresolved?: readonly string[];
  className?: string;
}

const tones = { blue: "text-blue", red: "text-red", muted: "text-muted" };

/** Who reaches whom through what, as an arrow between the ends. */
export function FlowLine({ source, destination, service, names, tone, unresolved, className }: Props) {
  return (
    <div className={clsx("flex flex-wrap items-center gap-x-3 gap-y-2", className)}>
      <EndChips end={source} names={names} unresolved={unresolved} />
      <span className={clsx("inline-flex items-center gap-1.5 font-mono text-[0.8rem] font-medium", tones[tone])}>
        <span aria-hidden className="h-px w-4 bg-current" />
        {serviceOf(service)}
        <ArrowRight className="size-4" aria-hidden />
        <span className="sr-only">to</span>
      </span>
      <EndChips end={destination} names={names} unresolved={unresolved} />
    </div>
  );
}
