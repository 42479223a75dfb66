import { createFileRoute } from "@tanstack/react-router";
import { TestsPage } from "@/features/policy/tests/tests-page";

export const Route = createFileRoute("/_signed-in/_org/acls/tests")({ component: TestsPage });
