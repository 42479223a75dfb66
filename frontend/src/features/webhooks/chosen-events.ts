import type { EventGroup } from "@/api/answers";

export const EVERYTHING = "*";

const allOf = (event: string) => `${event.split(".")[0]}.*`;

/** All of a group, as the control plane spells it: one wildcard a noun. */
export function wildcardsOf({ events }: EventGroup): string[] {
  return [...new Set(events.map(allOf))];
}

/** Whether an event is asked for, by its name or by a wildcard. */
export function includes(chosen: readonly string[], event: string): boolean {
  return chosen.includes(EVERYTHING) || chosen.includes(allOf(event)) || chosen.includes(event);
}

export function countIn(chosen: readonly string[], { events }: EventGroup): number {
  return events.filter((event) => includes(chosen, event)).length;
}

/** With or without a whole group. */
export function withGroup(chosen: readonly string[], group: EventGroup, on: boolean): string[] {
  const others = chosen.filter((event) => !group.events.includes(event) && !wildcardsOf(group).includes(event));
  return on ? [...others, ...wildcardsOf(group)] : others;
}

/** With or without one event; taking one out of a wildcard leaves the others by name. */
export function withEvent(chosen: readonly string[], { events }: EventGroup, event: string, on: boolean): string[] {
  const wildcard = allOf(event);
  if (on) return [...chosen, event];
  const siblings = chosen.includes(wildcard) ? events.filter((other) => allOf(other) === wildcard) : [];
  return [...chosen.filter((other) => other !== wildcard), ...siblings].filter((other) => other !== event);
}
