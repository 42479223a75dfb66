import { useMutation } from "@tanstack/react-query";
import { Undo2 } from "lucide-react";
import { useCurrentOrg } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { FormFailure } from "../confirm";
import { Button } from "../ui/button";
import { toast } from "../ui/toast";
import { Countdown } from "../countdown";
import { actOnPolicy, useRefreshPolicy } from "./queries";

/** A change on trial: keep it, or go back now; without either it goes back by itself. */
export function Trial({ planId, confirmBy, onDone }: { planId: string; confirmBy: string; onDone?: () => void }) {
  const { org } = useCurrentOrg();
  const refresh = useRefreshPolicy(org.id);
  const decide = useMutation({
    mutationFn: (action: "confirm" | "rollback") => actOnPolicy(org.id, action, { plan_id: planId }),
    onSuccess: async (_, action) => {
      toast.done(action === "confirm" ? "Change confirmed" : "Change rolled back");
      await refresh();
      onDone?.();
    },
  });
  return (
    <div className="grid gap-3">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <p className="min-w-0 flex-1 basis-56">
          Can you and your people still reach what you need? It is undone in <Countdown until={confirmBy} />.
        </p>
        <div className="flex gap-2">
          <Button onClick={() => decide.mutate("rollback")} disabled={decide.isPending}>
            <Undo2 /> Roll back
          </Button>
          <Button tone="primary" onClick={() => decide.mutate("confirm")} disabled={decide.isPending}>
            Confirm
          </Button>
        </div>
      </div>
      <FormFailure text={decide.error ? messageOf(decide.error) : null} />
    </div>
  );
}
