import { createFileRoute } from "@tanstack/react-router";
import { ApiKeysPage } from "@/features/auth/api-keys-page";

export const Route = createFileRoute("/_signed-in/_org/api-keys")({ component: ApiKeysPage });
