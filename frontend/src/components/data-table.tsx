import { flexRender, getCoreRowModel, useReactTable, type ColumnDef, type RowData } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { clsx } from "clsx";
import { ArrowDown, ArrowUp } from "lucide-react";
import { useEffect, useRef, type MouseEvent } from "react";

declare module "@tanstack/react-table" {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the library's own signature
  interface ColumnMeta<TData extends RowData, TValue> {
    /** Classes of the column's cells: width, and from which screen on it shows. */
    className?: string;
    /** The name the server sorts by; without it the column can't be sorted. */
    sortBy?: string;
  }
}

export interface Sorting {
  by: string;
  direction: "asc" | "desc";
}

interface Props<Row extends { id: string }> {
  label: string;
  rows: Row[];
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- columns of one table have values of many types
  columns: ColumnDef<Row, any>[];
  total?: number | null;
  rowHeight?: number;
  sorting?: Sorting;
  onSort?: (sorting: Sorting) => void;
  onOpen?: (row: Row) => void;
  /** Called when the end comes near, while there is more to fetch. */
  onNearEnd?: () => void;
}

const NEAR_END_ROWS = 25;

/** A table that draws only the rows in sight, so that ten thousand cost as much as thirty. */
export function DataTable<Row extends { id: string }>(props: Props<Row>) {
  const { label, rows, columns, total, rowHeight = 60, sorting, onSort, onOpen, onNearEnd } = props;
  const scroller = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library -- rows are re-read at every render on purpose
  const table = useReactTable({ data: rows, columns, getCoreRowModel: getCoreRowModel(), getRowId: (row) => row.id });
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  });
  const visible = virtual.getVirtualItems();
  const last = visible.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= rows.length - NEAR_END_ROWS) onNearEnd?.();
  }, [last, rows.length, onNearEnd]);

  const above = visible[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (visible.at(-1)?.end ?? 0);
  const modelRows = table.getRowModel().rows;
  return (
    <div ref={scroller} tabIndex={-1} className="max-h-[calc(100dvh-13rem)] overflow-auto overscroll-contain rounded-2xl border border-line bg-surface shadow-card">
      <table aria-label={label} aria-rowcount={total ?? rows.length} className="w-full border-separate border-spacing-0 text-left">
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>
              {group.headers.map(({ id, column, getContext }) => (
                <th
                  key={id}
                  scope="col"
                  aria-sort={ariaSort(column.columnDef.meta?.sortBy, sorting)}
                  className={clsx(
                    "sticky top-0 z-10 border-b border-line bg-surface/95 px-4 py-2.5 text-[0.8rem] font-medium whitespace-nowrap text-muted backdrop-blur",
                    column.columnDef.meta?.className,
                  )}
                >
                  <SortHeader by={column.columnDef.meta?.sortBy} sorting={sorting} onSort={onSort}>
                    {flexRender(column.columnDef.header, getContext())}
                  </SortHeader>
                </th>
              ))}
            </tr>
          ))}
        </thead>
        <tbody>
          {above > 0 && <Spacer height={above} />}
          {visible.map(({ index }) => {
            const row = modelRows[index];
            if (!row) return null;
            return (
              <tr
                key={row.id}
                aria-rowindex={index + 2}
                onClick={onOpen && ((event) => openUnlessControl(event, () => onOpen(row.original)))}
                className={clsx("group", onOpen && "cursor-pointer hover:bg-sunken")}
                style={{ height: rowHeight }}
              >
                {row.getVisibleCells().map((cell) => (
                  <td key={cell.id} className={clsx("border-b border-line px-4 py-1.5 group-last:border-0", cell.column.columnDef.meta?.className)}>
                    {flexRender(cell.column.columnDef.cell, cell.getContext())}
                  </td>
                ))}
              </tr>
            );
          })}
          {below > 0 && <Spacer height={below} />}
        </tbody>
      </table>
    </div>
  );
}

function Spacer({ height }: { height: number }) {
  return (
    <tr aria-hidden>
      <td style={{ height }} className="p-0" />
    </tr>
  );
}

interface SortHeaderProps {
  by: string | undefined;
  sorting: Sorting | undefined;
  onSort: ((sorting: Sorting) => void) | undefined;
  children: React.ReactNode;
}

function SortHeader({ by, sorting, onSort, children }: SortHeaderProps) {
  if (!by || !onSort) return children;
  const active = sorting?.by === by;
  const descending = active && sorting.direction === "desc";
  return (
    <button
      type="button"
      onClick={() => onSort({ by, direction: active && !descending ? "desc" : "asc" })}
      className={clsx("inline-flex items-center gap-1 rounded hover:text-ink", active && "text-ink")}
    >
      {children}
      {active && (descending ? <ArrowDown className="size-3.5" aria-hidden /> : <ArrowUp className="size-3.5" aria-hidden />)}
    </button>
  );
}

function ariaSort(by: string | undefined, sorting: Sorting | undefined) {
  if (!by || sorting?.by !== by) return undefined;
  return sorting.direction === "asc" ? "ascending" : "descending";
}

// A row is a shortcut for its link; buttons and links inside it keep their own meaning.
function openUnlessControl(event: MouseEvent, open: () => void) {
  if (event.target instanceof Element && !event.target.closest("a, button, input, label")) open();
}
