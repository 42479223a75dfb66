/** What one member of a rule's end names; a bare word is the name of a machine. */
export type EndKind = "all" | "tag" | "user" | "group" | "address" | "machine";

const MOST_MEMBERS = 32;
const PREFIXED: readonly EndKind[] = ["tag", "user", "group"];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ANY_UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;
const ADDRESS = /^[0-9.]+(\/\d+)?$|:/;
const TAG = /^[\w-]{1,50}$/;

/** The members of an end: `tag:web, group:On call`. Blanks belong to names, so only commas part them. */
export function membersOf(end: string): string[] {
  return end
    .split(",")
    .map((member) => member.trim())
    .filter(Boolean);
}

export function kindOf(member: string): EndKind {
  if (member === "*") return "all";
  const prefix = PREFIXED.find((kind) => member.toLowerCase().startsWith(`${kind}:`));
  if (prefix) return prefix;
  return !isMachineId(member) && ADDRESS.test(member) ? "address" : "machine";
}

export function isMachineId(member: string): boolean {
  return UUID.test(member);
}

/** The end with machines' names where it holds their ids: what people can read and the control plane takes back. */
export function withNames(end: string, nameOf: (id: string) => string | undefined): string {
  return membersOf(end)
    .map((member) => nameOf(member) ?? member)
    .join(", ");
}

/** A text, such as the name of a rule that a grant made, with machines' names in place of their ids. */
export function spelledOut(text: string, nameOf: (id: string) => string | undefined): string {
  return text.replaceAll(ANY_UUID, (id) => nameOf(id) ?? id);
}

/** Why an end can't be meant, as far as that shows without asking; null if it may be fine. */
export function endFault(end: string): string | null {
  const members = membersOf(end);
  if (members.length === 0) return "Name at least one, or * for every machine.";
  if (members.length > MOST_MEMBERS) return `At most ${MOST_MEMBERS}; make a group of them.`;
  const nameless = members.find((member) => /^(tag|user|group):\s*$/i.test(member));
  if (nameless) return `${nameless} is not complete.`;
  const tag = members.find((member) => kindOf(member) === "tag" && !TAG.test(member.slice(4).trim()));
  return tag ? `${tag} is no tag: letters, digits, - and _ only.` : null;
}

const LAST_PORT = 65_535;
const MOST_ENTRIES = 64;

/** Why a list of ports can't be meant; null for `*` and for `22, 8000-8100`. */
export function portsFault(ports: string): string | null {
  const bare = ports.replaceAll(/\s/g, "");
  if (bare === "*") return null;
  const entries = bare.split(",");
  if (entries.length > MOST_ENTRIES) return `At most ${MOST_ENTRIES} entries.`;
  for (const entry of entries) {
    const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(entry) ?? [];
    if (first === undefined) return entry ? `${entry} is neither a port nor a range like 8000-8100.` : "Ports such as 22, 8000-8100, or * for all.";
    const low = Number(first);
    const high = Number(last ?? first);
    if (low < 1 || high > LAST_PORT) return `Ports are 1 to ${LAST_PORT}.`;
    if (low > high) return `The range ${entry} is reversed.`;
  }
  return null;
}

/** Protocol and ports in words: "tcp 443", "all udp", "ping (icmp)", "anything". */
export function serviceOf({ protocol, ports }: { protocol: string; ports: string }): string {
  const all = ports === "" || ports === "*" || ports === "1-65535";
  if (protocol === "*") return all ? "anything" : `port ${ports}`;
  return all ? (protocol === "icmp" ? "ping (icmp)" : `all ${protocol}`) : `${protocol} ${ports}`;
}
