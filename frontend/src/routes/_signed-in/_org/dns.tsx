import { createFileRoute } from "@tanstack/react-router";
import { DnsPage } from "@/features/dns/dns-page";

export const Route = createFileRoute("/_signed-in/_org/dns")({ component: DnsPage });
