import type { Machine } from "@/api/tables";
import { addDays, daysUntil } from "@/lib/time";

const SOON_DAYS = 30;

export interface KeyExpiry {
  text: string;
  colour: "grey" | "orange" | "red";
}

/** How long a machine's node key lives on, counted from when the key was made. */
export function keyExpiry(machine: Machine, keyExpiryDays: number | undefined, now: number): KeyExpiry | null {
  if (machine.key_expired_at !== null) return { text: "Expired", colour: "red" };
  if (machine.key_expiry_disabled) return { text: "Disabled", colour: "grey" };
  if (keyExpiryDays === undefined) return null;
  const days = daysUntil(addDays(machine.key_created_at, keyExpiryDays), now);
  if (days < 0) return { text: "Expired", colour: "red" };
  return { text: `${days} d`, colour: days < SOON_DAYS ? "orange" : "grey" };
}
