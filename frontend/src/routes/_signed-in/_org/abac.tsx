import { createFileRoute } from "@tanstack/react-router";
import { AttributesPage } from "@/features/policy/attributes/attributes-page";

export const Route = createFileRoute("/_signed-in/_org/abac")({ component: AttributesPage });
