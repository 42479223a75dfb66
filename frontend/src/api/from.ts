import { call, callWithHeaders } from "./client";
import type { ColumnOf, RowOf, TableName } from "./tables";

const WINDOW_ROWS = 1000;

type Value = string | number | boolean;
type Operator = "eq" | "neq" | "gt" | "gte" | "lt" | "lte" | "like" | "ilike";

export interface Window<Row> {
  rows: Row[];
  /** Rows the filters match, when `exactCount()` was asked for. */
  total: number | null;
  /** Where the next window begins; null at the end. */
  next: string | null;
}

/**
 * A typed reader of one table: `from("machines").in(org).eq("status", "online").order("name").limit(50).rows()`.
 * Immutable: every step returns a new query, so a base query may be shared.
 */
export class Query<T extends TableName> {
  private constructor(
    private readonly table: T,
    private readonly params: readonly (readonly [string, string])[],
  ) {}

  static on<T extends TableName>(table: T): Query<T> {
    return new Query(table, []);
  }

  in(orgId: string): Query<T> {
    return this.with("org_id", orgId);
  }

  select(...columns: ColumnOf<T>[]): Query<T> {
    return this.with("select", columns.join(","));
  }

  eq(column: ColumnOf<T>, value: Value): Query<T> {
    return this.where(column, "eq", value);
  }

  where(column: ColumnOf<T>, operator: Operator, value: Value): Query<T> {
    return this.with(column, `${operator}.${value}`);
  }

  isNull(column: ColumnOf<T>): Query<T> {
    return this.with(column, "is.null");
  }

  oneOf(column: ColumnOf<T>, values: readonly Value[]): Query<T> {
    return this.with(column, `in.(${values.map(quoted).join(",")})`);
  }

  /** Rows whose list column holds all of `values`. */
  contains(column: ColumnOf<T>, values: readonly string[]): Query<T> {
    return this.with(column, `cs.{${values.map(quoted).join(",")}}`);
  }

  /** Rows in which any of the columns holds the text, whatever its case. */
  search(columns: readonly ColumnOf<T>[], text: string): Query<T> {
    const pattern = quoted(`*${text.replace(/[*%]/g, "")}*`);
    return this.with("or", `(${columns.map((column) => `${column}.ilike.${pattern}`).join(",")})`);
  }

  order(column: ColumnOf<T>, direction: "asc" | "desc" = "asc", nulls?: "nullsfirst" | "nullslast"): Query<T> {
    return this.with("order", [column, direction, ...(nulls ? [nulls] : [])].join("."));
  }

  limit(count: number): Query<T> {
    return this.with("limit", String(count));
  }

  after(cursor: string | null): Query<T> {
    return cursor === null ? this : this.with("after", cursor);
  }

  exactCount(): Query<T> {
    return this.with("count", "exact");
  }

  /** The address this query stands for; also its cache identity. */
  toString(): string {
    const search = new URLSearchParams(this.params.map(([name, value]) => [name, value]));
    return `/api/db/${this.table}?${search}`;
  }

  async rows(signal?: AbortSignal): Promise<RowOf<T>[]> {
    return call<RowOf<T>[]>(this.toString(), { signal });
  }

  async first(signal?: AbortSignal): Promise<RowOf<T> | null> {
    return (await this.limit(1).rows(signal))[0] ?? null;
  }

  async window(signal?: AbortSignal): Promise<Window<RowOf<T>>> {
    const { data, headers } = await callWithHeaders<RowOf<T>[]>(this.toString(), { signal });
    return { rows: data, total: totalOf(headers.get("Content-Range")), next: headers.get("X-Next-Cursor") };
  }

  /** Every row that matches, window by window. */
  async all(signal?: AbortSignal): Promise<RowOf<T>[]> {
    const rows: RowOf<T>[] = [];
    let next: string | null = null;
    do {
      const window: Window<RowOf<T>> = await this.limit(WINDOW_ROWS).after(next).window(signal);
      rows.push(...window.rows);
      next = window.next;
    } while (next !== null);
    return rows;
  }

  private with(name: string, value: string): Query<T> {
    return new Query(this.table, [...this.params, [name, value]]);
  }
}

export function from<T extends TableName>(table: T): Query<T> {
  return Query.on(table);
}

function quoted(value: Value): string {
  const text = String(value);
  return /^[\w.@:*-]+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}

function totalOf(contentRange: string | null): number | null {
  const total = contentRange?.split("/")[1];
  return total === undefined || total === "*" ? null : Number(total);
}
