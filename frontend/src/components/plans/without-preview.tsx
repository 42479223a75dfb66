import { useMutation } from "@tanstack/react-query";
import { useCurrentOrg } from "@/api/current-org";
import { Failure } from "../confirm";
import { Button } from "../ui/button";
import { toast } from "../ui/toast";
import { useRefreshPolicy } from "./queries";

interface Props {
  save: () => Promise<unknown>;
  done: string;
  onDone: () => void;
}

/** The way on when a preview can't be had. */
export function WithoutPreview({ save: write, done, onDone }: Props) {
  const { org } = useCurrentOrg();
  const refresh = useRefreshPolicy(org.id);
  const save = useMutation({
    mutationFn: write,
    onSuccess: async () => {
      await refresh();
      toast.done(done);
      onDone();
    },
  });
  return (
    <div role="alert" className="grid gap-2 rounded-xl bg-yellow-soft px-3.5 py-3 text-yellow">
      <p>What this change does could not be worked out. It is still checked and tested as it is saved.</p>
      <Button size="sm" className="justify-self-start" busy={save.isPending} onClick={() => save.mutate()}>
        Save without a preview
      </Button>
      <Failure error={save.error} />
    </div>
  );
}
