import { useNow } from "@/lib/now";
import { timeLeft } from "@/lib/time";

/** Counts down to the moment; read out by no screen reader, which would never stop. */
export function Countdown({ until }: { until: string }) {
  const now = useNow(500);
  return (
    <span role="timer" aria-live="off" className="font-semibold whitespace-nowrap tabular-nums">
      {timeLeft(until, now)}
    </span>
  );
}
