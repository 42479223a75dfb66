import { createFileRoute } from "@tanstack/react-router";
import { UsersPage } from "@/features/orgs/users/users-page";

export const Route = createFileRoute("/_signed-in/_org/users")({ component: UsersPage });
