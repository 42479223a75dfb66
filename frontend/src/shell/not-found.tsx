import { Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { useDocumentTitle } from "@/components/page";
import { Notice } from "@/components/states";
import { buttonClass } from "@/components/ui/button";

export function NotFound() {
  useDocumentTitle("Not found");
  return (
    <main className="grid min-h-[70dvh] place-items-center">
      <Notice
        icon={<Compass />}
        title="There is no page at this address"
        action={
          <Link to="/dashboard" className={buttonClass("primary")}>
            Go to the dashboard
          </Link>
        }
      >
        It may have moved, or the link is incomplete. Ctrl or Cmd with K finds pages and machines by name.
      </Notice>
    </main>
  );
}
