import { useQuery } from "@tanstack/react-query";
import { Asterisk, Network, Server, Tag, User, UsersRound, type LucideIcon } from "lucide-react";
import { useMemo } from "react";
import { useCurrentOrg } from "@/api/current-org";
import { groupsQuery, namedMachinesQuery } from "@/api/named";
import { kindOf, membersOf, type EndKind } from "@/lib/selectors";

export const endIcons: Record<EndKind, LucideIcon> = { all: Asterisk, tag: Tag, user: User, group: UsersRound, address: Network, machine: Server };
const said: Record<EndKind, string> = { all: "Every machine", tag: "Machines with this tag", user: "Machines of this person", group: "Machines of this group", address: "This address or network", machine: "This machine" };

export interface EndNames {
  machine: (id: string) => string | undefined;
  groupColour: (name: string) => string | undefined;
}

/** How to show what ends name: machines by name, groups in their colour. */
export function useEndNames(): EndNames {
  const { org } = useCurrentOrg();
  const { data: machines } = useQuery(namedMachinesQuery(org.id));
  const { data: groups } = useQuery(groupsQuery(org.id));
  return useMemo(() => {
    const names = new Map(machines?.map(({ id, name }) => [id, name]));
    const colours = new Map(groups?.map(({ name, color }) => [name.toLowerCase(), color]));
    return { machine: (id) => names.get(id), groupColour: (name) => colours.get(name.toLowerCase()) };
  }, [machines, groups]);
}

interface Props {
  end: string;
  names: EndNames;
  /** Members that nothing has. */
  unresolved?: readonly string[];
}

/** An end of a rule, one chip a member. */
export function EndChips({ end, names, unresolved = [] }: Props) {
  return (
    <span className="flex min-w-0 flex-wrap gap-1">
      {membersOf(end).map((member) => (
        <EndChip key={member} member={member} names={names} missing={unresolved.some((name) => name.toLowerCase() === member.toLowerCase())} />
      ))}
    </span>
  );
}

function EndChip({ member, names, missing }: { member: string; names: EndNames; missing: boolean }) {
  const kind = kindOf(member);
  const Icon = endIcons[kind];
  const colour = kind === "group" ? names.groupColour(member.slice(6).trim()) : undefined;
  return (
    <span
      title={missing ? "Nothing has this name yet" : said[kind]}
      className={
        "inline-flex max-w-full min-w-0 items-center gap-1.25 rounded-md border px-1.75 py-0.25 font-mono text-[0.78rem] leading-5 [&_svg]:size-3.25 [&_svg]:shrink-0 " +
        (missing ? "border-dashed border-orange text-orange" : "border-line bg-sunken text-ink [&_svg]:text-muted")
      }
    >
      {colour ? <GroupDot colour={colour} /> : kind !== "all" && <Icon aria-hidden />}
      <span className="truncate">{names.machine(member) ?? member}</span>
      {missing && <span className="sr-only">, nothing has this name yet</span>}
    </span>
  );
}

/** A group's colour. */
export function GroupDot({ colour }: { colour: string }) {
  return (
    <svg viewBox="0 0 10 10" className="!size-2.5 shrink-0" aria-hidden>
      <circle cx="5" cy="5" r="5" fill={colour} />
    </svg>
  );
}
