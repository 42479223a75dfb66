import { createFileRoute } from "@tanstack/react-router";
import { DashboardPage } from "@/features/machines/dashboard/dashboard-page";

export const Route = createFileRoute("/_signed-in/_org/dashboard")({ component: DashboardPage });
