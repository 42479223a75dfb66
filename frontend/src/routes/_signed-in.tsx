import { createFileRoute, redirect } from "@tanstack/react-router";
import { hasSession } from "@/api/has-session";

export const Route = createFileRoute("/_signed-in")({
  beforeLoad: async ({ location }) => {
    if (!(await hasSession())) throw redirect({ to: "/auth", search: { redirect: location.href } });
  },
});
