import { createFileRoute } from "@tanstack/react-router";
import { DevicePage } from "@/features/auth/device-page";

export const Route = createFileRoute("/_signed-in/auth/device")({
  validateSearch: (search: Record<string, unknown>): { code?: string } => ({
    code: typeof search.code === "string" || typeof search.code === "number" ? String(search.code) : undefined,
  }),
  component: Device,
});

function Device() {
  return <DevicePage code={Route.useSearch().code ?? ""} />;
}
