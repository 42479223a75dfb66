import type { UseQueryResult } from "@tanstack/react-query";
import { CloudOff, RotateCw, ShieldOff } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError, isForbidden, messageOf } from "@/api/error";
import { Button } from "./ui/button";

interface NoticeProps {
  icon: ReactNode;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  alert?: boolean;
}

/** The one shape of a page part that has no rows to show, and says why and what next. */
export function Notice({ icon, title, children, action, alert }: NoticeProps) {
  return (
    <div role={alert ? "alert" : undefined} className="grid justify-items-center gap-1.5 px-4 py-12 text-center">
      <span className="mb-2 grid size-12 place-items-center rounded-2xl bg-accent-soft text-accent [&_svg]:size-5.5">{icon}</span>
      <h3 className="font-semibold">{title}</h3>
      {children && <div className="max-w-md text-pretty text-muted">{children}</div>}
      {action && <div className="mt-3 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

export function ErrorState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  if (isForbidden(error)) return <Forbidden />;
  const requestId = error instanceof ApiError ? error.requestId : null;
  return (
    <Notice
      alert
      icon={<CloudOff />}
      title="This could not be loaded"
      action={
        onRetry && (
          <Button onClick={onRetry}>
            <RotateCw /> Retry
          </Button>
        )
      }
    >
      <p>{messageOf(error)}</p>
      {requestId && (
        <p className="mt-1 text-[0.8rem]">
          Request id <code className="font-mono select-all">{requestId}</code>
        </p>
      )}
    </Notice>
  );
}

export function Forbidden() {
  return (
    <Notice icon={<ShieldOff />} title="Not open to your role">
      An owner or administrator of this organisation can show you this page, or give you a role that may read it.
    </Notice>
  );
}

interface QueryViewProps<T> {
  query: UseQueryResult<T>;
  skeleton: ReactNode;
  children: (data: T) => ReactNode;
}

/** Shows a query's data, or its skeleton, or its failure with Retry. Data once shown stays while it is refreshed. */
export function QueryView<T>({ query, skeleton, children }: QueryViewProps<T>) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  return skeleton;
}
