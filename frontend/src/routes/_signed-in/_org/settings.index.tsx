import { createFileRoute } from "@tanstack/react-router";
import { SettingsPage } from "@/features/orgs/settings-page";

export const Route = createFileRoute("/_signed-in/_org/settings/")({ component: SettingsPage });
