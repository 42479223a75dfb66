import { WifiOff } from "lucide-react";
import { Dot, type DotColour } from "@/components/ui/badge";
import { useSocketState } from "@/realtime/provider";
import type { SocketState } from "@/realtime/socket";

const looks: Record<SocketState, { colour: DotColour; text: string }> = {
  open: { colour: "green", text: "Live" },
  connecting: { colour: "yellow", text: "Connecting" },
  down: { colour: "grey", text: "Not live" },
};

export function SocketBadge() {
  const { colour, text } = looks[useSocketState()];
  return (
    <span className="flex items-center gap-1.75 text-[0.83rem] text-muted" title="State of the connection that brings live changes">
      <Dot colour={colour} pulse={colour === "yellow"} />
      {text}
    </span>
  );
}

export function LiveNotice() {
  if (useSocketState() !== "down") return null;
  return (
    <p role="status" className="flex items-center gap-2.5 bg-yellow-soft px-4 py-2 text-yellow sm:px-7">
      <WifiOff className="size-4 shrink-0" aria-hidden />
      Live updates are interrupted. This page refreshes every 30 s until they are back.
    </p>
  );
}
