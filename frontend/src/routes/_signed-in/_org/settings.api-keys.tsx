import { createFileRoute, redirect } from "@tanstack/react-router";

export const Route = createFileRoute("/_signed-in/_org/settings/api-keys")({
  beforeLoad: () => {
    throw redirect({ to: "/api-keys", replace: true });
  },
});
