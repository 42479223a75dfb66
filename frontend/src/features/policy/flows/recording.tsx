import { CircleDot, EyeOff } from "lucide-react";
import { useState } from "react";
import { useIsAdmin } from "@/api/current-org";
import { Confirm } from "@/components/confirm";
import { Notice } from "@/components/states";
import { Button } from "@/components/ui/button";
import { toast } from "@/components/ui/toast";
import { useStartRecording } from "./queries";

/** Flow logs are off and there are none. */
export function NotRecorded() {
  return (
    <Notice icon={<EyeOff />} title="Flows are not recorded" action={<RecordButton />}>
      A flow log shows who connected to whom through which port, whether that was allowed, and by which rule. It is off until an administrator switches it on; what
      is sent over a connection is never recorded.
    </Notice>
  );
}

/** Stands above flows of an earlier time. */
export function RecordingStopped() {
  return (
    <div className="mb-4 flex flex-wrap items-center justify-between gap-x-4 gap-y-2 rounded-xl bg-orange-soft px-4 py-2.5 text-orange">
      <span className="flex gap-2.5">
        <EyeOff className="mt-0.5 size-4.5 shrink-0" aria-hidden />
        Flows are not recorded now. Those below are of the time when they were.
      </span>
      <RecordButton />
    </div>
  );
}

/** The switch, for those who may use it. It says first what it means for people. */
function RecordButton() {
  const isAdmin = useIsAdmin();
  const [asking, setAsking] = useState(false);
  const start = useStartRecording();
  if (!isAdmin) return null;
  return (
    <>
      <Button tone="primary" onClick={() => setAsking(true)}>
        <CircleDot /> Record flows
      </Button>
      {asking && (
        <Confirm
          title="Record flows in this network?"
          action="Record flows"
          danger={false}
          onConfirm={async () => {
            await start();
            toast.done("Flows are recorded");
          }}
          onClose={() => setAsking(false)}
        >
          <p>Every machine then reports the connections that its filter lets through or denies:</p>
          <ul className="mt-2 list-disc pl-5">
            <li>the time, both machines and their addresses,</li>
            <li>protocol and port,</li>
            <li>allowed or denied, and the rule that decided,</li>
            <li>how many packets and bytes.</li>
          </ul>
          <p className="mt-2">
            What is sent is not recorded. Entries are kept for <strong className="font-medium text-ink">30 days</strong>; owners, administrators and auditors read them. Machines
            belong to people: tell them.
          </p>
        </Confirm>
      )}
    </>
  );
}
