import { membersOf } from "./selectors";

export interface EndChoice {
  value: string;
  hint: string;
}

const MOST = 7;

/** What may complete the last member of the end, best first: beginnings, then anything that holds the letters. */
export function suggestionsFor(choices: readonly EndChoice[], end: string): EndChoice[] {
  const { done, typed } = parts(end);
  const taken = membersOf(done).map((member) => member.toLowerCase());
  const free = choices.filter(({ value }) => !taken.includes(value.toLowerCase()));
  const wanted = typed.toLowerCase();
  if (free.some(({ value }) => value.toLowerCase() === wanted)) return [];
  const begins = free.filter(({ value }) => bare(value).startsWith(wanted) || value.toLowerCase().startsWith(wanted));
  const holds = free.filter((choice) => !begins.includes(choice) && `${choice.value} ${choice.hint}`.toLowerCase().includes(wanted));
  return [...begins, ...holds].slice(0, MOST);
}

/** The end with its last member exchanged for the choice. */
export function completeEnd(end: string, choice: string): string {
  const { done } = parts(end);
  return [...membersOf(done), choice].join(", ");
}

function parts(end: string): { done: string; typed: string } {
  const comma = end.lastIndexOf(",");
  return { done: end.slice(0, Math.max(comma, 0)), typed: end.slice(comma + 1).trim() };
}

// People look for "web", not for "tag:web".
function bare(value: string): string {
  return value.slice(value.indexOf(":") + 1).toLowerCase();
}
