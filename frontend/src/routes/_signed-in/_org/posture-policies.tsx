import { createFileRoute } from "@tanstack/react-router";
import { PoliciesPage } from "@/features/posture/policies-page";

export const Route = createFileRoute("/_signed-in/_org/posture-policies")({ component: PoliciesPage });
