import { createFileRoute } from "@tanstack/react-router";
import { CliPage } from "@/features/auth/cli-page";
import { textParam } from "@/lib/search-params";

interface Search {
  cli_state?: string;
  code_challenge?: string;
  port?: number;
}

export const Route = createFileRoute("/_signed-in/auth/cli")({
  validateSearch: (search: Record<string, unknown>): Search => ({
    cli_state: textParam(search.cli_state),
    code_challenge: textParam(search.code_challenge),
    port: Number(search.port) || undefined,
  }),
  component: Cli,
});

function Cli() {
  const { cli_state, code_challenge, port } = Route.useSearch();
  return <CliPage cliState={cli_state} codeChallenge={code_challenge} port={port} />;
}
