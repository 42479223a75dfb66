/** The fields in which two forms of one kind differ. */
export function differing<Draft extends object>(one: Draft, other: Draft): (keyof Draft & string)[] {
  return (Object.keys(one) as (keyof Draft & string)[]).filter((field) => !same(one[field], other[field]));
}

/** What somebody typed, on top of what somebody else has saved meanwhile. */
export function merged<Draft extends object>(before: Draft, mine: Draft, theirs: Draft): Draft {
  return { ...theirs, ...Object.fromEntries(differing(before, mine).map((field) => [field, mine[field]])) };
}

/** The columns that a form changes: what is left alone is not sent, and stays as others save it. */
export function changedColumns<Values extends object>(before: Values, after: Values): Partial<Values> {
  return Object.fromEntries(differing(after, before).map((column) => [column, after[column]])) as Partial<Values>;
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
