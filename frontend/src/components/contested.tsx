import { useQuery, useQueryClient, type UseQueryOptions } from "@tanstack/react-query";
import { useState } from "react";
import { ApiError } from "@/api/error";
import type { OrgKey } from "@/api/keys";
import { differing, merged } from "@/lib/contested";
import { FormFailure } from "./confirm";
import { Button } from "./ui/button";

interface Options<Row, Draft> {
  /** The row as the form was opened with it; null for a new one. */
  opened: Row | null;
  draftOf: (row: Row) => Draft;
  blank: Draft;
}

interface Listed<Row, Draft> extends Options<Row, Draft> {
  /** The list that holds it, as it is read now. */
  query: UseQueryOptions<Row[], Error, Row[], OrgKey>;
}

interface Read<Row, Draft> extends Options<Row, Draft> {
  /** The row as the page knows it now; null once it is gone, undefined as long as nobody has read it. */
  present: Row | null | undefined;
  read: () => Promise<Row | null | undefined>;
}

export interface Contested<Row, Draft> {
  draft: Draft;
  change: (values: Partial<Draft>) => void;
  /** The row that the form's changes stand on. */
  seen: Row | null;
  changed: boolean;
  /** What somebody else has changed since, and what was typed there. */
  overtaken: { field: keyof Draft & string; theirs: unknown; typed?: unknown }[];
  /** The row went away while it was being changed. */
  gone: boolean;
  takeTheirs: () => void;
  keepMine: () => void;
  /** The row as it is stored at this moment; throws what must be looked at first. */
  fresh: () => Promise<Row | null>;
}

/** A form over one row of a list. */
export function useContested<Row extends { id: string }, Draft extends object>({ query, ...options }: Listed<Row, Draft>): Contested<Row, Draft> {
  const client = useQueryClient();
  const { opened } = options;
  const { data: rows } = useQuery({ ...query, enabled: opened !== null });
  const own = (all: Row[]) => all.find(({ id }) => id === opened?.id) ?? null;
  return useContest({ ...options, present: rows && own(rows), read: async () => own(await client.query({ ...query, staleTime: 0 })) });
}

/** A form over a row that others may change or delete meanwhile: nothing typed is lost, nothing of theirs unseen. */
export function useContest<Row, Draft extends object>({ opened, present, read, draftOf, blank }: Read<Row, Draft>): Contested<Row, Draft> {
  const [based, setBased] = useState(opened);
  const [draft, setDraft] = useState(() => (opened ? draftOf(opened) : blank));
  const before = based ? draftOf(based) : blank;
  const theirs = opened !== null && present ? draftOf(present) : before;
  const fields = differing(before, theirs);
  const typed = differing(before, draft);
  // What the form does not show may change under it.
  const seen = based !== null && present && fields.length === 0 ? present : based;

  function goOn(next: Draft) {
    setDraft(next);
    if (present) setBased(present);
  }
  async function fresh() {
    if (opened === null) return null;
    const found = await read();
    if (!found) throw new ApiError("CONFLICT", "It is no longer there.", 409);
    if (differing(before, draftOf(found)).length > 0) throw new ApiError("CONFLICT", "Look at what somebody else has changed first.", 409);
    return found;
  }
  return {
    draft,
    change: (values) => setDraft({ ...draft, ...values }),
    seen,
    changed: typed.length > 0,
    overtaken: fields.map((field) => ({ field, theirs: theirs[field], ...(typed.includes(field) && { typed: draft[field] }) })),
    gone: opened !== null && present === null,
    takeTheirs: () => goOn(theirs),
    keepMine: () => goOn(merged(before, draft, theirs)),
    fresh,
  };
}

interface Props<Draft> {
  noun: string;
  /** What the form calls its fields. */
  labels: Record<keyof Draft & string, string>;
  contest: Pick<Contested<never, Draft>, "overtaken" | "gone" | "takeTheirs" | "keepMine">;
}

/** Says what somebody else has done to the row of a form, and lets one choose. */
export function Contest<Draft>({ noun, labels, contest: { overtaken, gone, takeTheirs, keepMine } }: Props<Draft>) {
  if (gone) return <FormFailure text={`Somebody has deleted this ${noun} meanwhile. What you typed stays here until you close it.`} />;
  if (overtaken.length === 0) return null;
  return (
    <div role="alert" className="rounded-xl bg-yellow-soft px-3.5 py-3 text-yellow">
      <p className="font-medium">Somebody else has changed this {noun} while you were:</p>
      <ul className="mt-1 list-disc pl-4.5">
        {overtaken.map(({ field, theirs, typed }) => (
          <li key={field} className="break-words">
            {labels[field]}: {said(theirs)}
            {typed !== undefined && `, you typed ${said(typed)}`}
          </li>
        ))}
      </ul>
      <div className="mt-2 flex flex-wrap gap-2">
        <Button size="sm" onClick={takeTheirs}>
          Load theirs
        </Button>
        <Button size="sm" onClick={keepMine}>
          Keep mine
        </Button>
      </div>
    </div>
  );
}

function said(value: unknown): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  if (Array.isArray(value)) return said(value.join(", "));
  return value === "" ? "empty" : `“${String(value)}”`;
}
