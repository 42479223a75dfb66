import { createFileRoute, redirect } from "@tanstack/react-router";

export const Route = createFileRoute("/_signed-in/_org/topology")({
  beforeLoad: () => {
    throw redirect({ to: "/machines", replace: true });
  },
});
