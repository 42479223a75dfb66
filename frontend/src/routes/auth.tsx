import { createFileRoute, redirect } from "@tanstack/react-router";
import { hasSession } from "@/api/has-session";
import { SignInPage, type SignInTab } from "@/features/auth/sign-in-page";
import { safeRedirect } from "@/lib/redirect";
import { textParam } from "@/lib/search-params";

interface Search {
  redirect?: string;
  tab?: SignInTab;
}

export const Route = createFileRoute("/auth")({
  validateSearch: (search: Record<string, unknown>): Search => ({
    redirect: textParam(search.redirect),
    tab: search.tab === "sign-up" ? "sign-up" : undefined,
  }),
  beforeLoad: async ({ search }) => {
    // An unreachable control plane must not hide the form: it is said when the form is sent.
    if (await hasSession().catch(() => false)) throw redirect({ href: safeRedirect(search.redirect, location.origin), replace: true });
  },
  component: Auth,
});

function Auth() {
  const search = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <SignInPage
      tab={search.tab ?? "sign-in"}
      onTab={(tab) => void navigate({ search: { ...search, tab: tab === "sign-up" ? tab : undefined }, replace: true })}
      onSignedIn={() => void navigate({ href: safeRedirect(search.redirect, location.origin), replace: true })}
    />
  );
}
