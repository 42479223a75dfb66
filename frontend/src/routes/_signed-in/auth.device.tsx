import { createFileRoute } from "@tanstack/react-router";
import { DevicePage } from "@/features/auth/device-page";
import { textParam } from "@/lib/search-params";

export const Route = createFileRoute("/_signed-in/auth/device")({
  validateSearch: (search: Record<string, unknown>): { code?: string } => ({
    code: textParam(search.code),
  }),
  component: Device,
});

function Device() {
  return <DevicePage code={Route.useSearch().code ?? ""} />;
}
