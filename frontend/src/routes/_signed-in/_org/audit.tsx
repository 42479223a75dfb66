import { createFileRoute, redirect } from "@tanstack/react-router";

export const Route = createFileRoute("/_signed-in/_org/audit")({
  beforeLoad: () => {
    throw redirect({ to: "/audit-log", replace: true });
  },
});
