import type { FieldChange } from "@/api/answers";
import type { EndNames } from "@/components/end-chips";
import { withNames } from "@/lib/selectors";
import { fieldName, valueText } from "./diff";

/** Fields before and after, side by side where there is room. */
export function FieldDiff({ fields, names }: { fields: readonly FieldChange[]; names: EndNames }) {
  const told = (field: string, value: unknown) => (["source", "destination", "selector"].includes(field) && typeof value === "string" ? withNames(value, names.machine) : valueText(value));
  return (
    <dl className="grid gap-px overflow-hidden rounded-lg border border-line bg-line text-[0.84rem]">
      {fields.map(({ field, before, after }) => (
        <div key={field} className="grid gap-x-3 bg-surface px-3 py-1.5 sm:grid-cols-[8.5rem_minmax(0,1fr)]">
          <dt className="text-muted">{fieldName(field)}</dt>
          <dd className="flex min-w-0 flex-wrap items-baseline gap-x-2 font-mono text-[0.79rem] break-all">
            {before !== undefined && before !== null && (
              <del className="rounded bg-red-soft px-1 text-red">
                <span className="sr-only">before: </span>
                {told(field, before)}
              </del>
            )}
            {after !== undefined && after !== null && (
              <ins className="rounded bg-green-soft px-1 text-green no-underline">
                <span className="sr-only">after: </span>
                {told(field, after)}
              </ins>
            )}
            {(after === undefined || after === null) && (before === undefined || before === null) && "–"}
          </dd>
        </div>
      ))}
    </dl>
  );
}
