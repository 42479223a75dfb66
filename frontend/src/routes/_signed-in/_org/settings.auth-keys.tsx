import { createFileRoute } from "@tanstack/react-router";
import { AuthKeysPage } from "@/features/machines/auth-keys/auth-keys-page";

export const Route = createFileRoute("/_signed-in/_org/settings/auth-keys")({ component: AuthKeysPage });
