import type { ReactNode } from "react";

interface Props {
  label: string;
  columns: readonly string[];
  /** Whether each row ends with a button that removes it. */
  removable: boolean;
  className?: string;
  children: ReactNode;
}

/** A table of few rows inside a card. */
export function SmallTable({ label, columns, removable, className, children }: Props) {
  return (
    <table aria-label={label} className={`w-full text-left text-[0.87rem] ${className ?? ""}`}>
      <thead className="text-[0.78rem] text-muted">
        <tr>
          {columns.map((column, i) => (
            <th key={column} scope="col" className={i === 0 ? "py-1 font-medium" : "py-1 pl-3 font-medium"}>
              {column}
            </th>
          ))}
          {removable && (
            <th scope="col">
              <span className="sr-only">Remove</span>
            </th>
          )}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}
