import { localTime, utcTime } from "@/lib/time";
import { useNow } from "@/lib/now";

/** A moment in local time, UTC on hover; a dash when there is none. */
export function Timestamp({ at }: { at: string | null }) {
  const now = useNow(60_000);
  if (at === null) return <span aria-label="never">–</span>;
  return (
    <time dateTime={at} title={utcTime(at)} className="whitespace-nowrap tabular-nums">
      {localTime(at, now)}
    </time>
  );
}
