import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Check } from "lucide-react";
import { clsx } from "clsx";
import { useState, type ReactNode } from "react";
import { useCurrentOrg, useIsAdmin } from "@/api/current-org";
import { pendingMachinesQuery } from "@/api/pending-machines";
import { Command } from "@/components/copy";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Dot } from "@/components/ui/badge";
import { PendingList } from "../pending-list";
import { installCommands, visitorPlatform, type Platform } from "./install";

/** From an organisation to the first machine in four steps, each with what to type. */
export function Guide({ onSkip }: { onSkip: () => void }) {
  const { org } = useCurrentOrg();
  const isAdmin = useIsAdmin();
  const pending = useQuery(pendingMachinesQuery(org.id));
  return (
    <Card
      title="Getting Started"
      subtitle="Bring the first machine into your network."
      actions={
        <Button size="sm" tone="ghost" onClick={onSkip}>
          Skip
        </Button>
      }
    >
      <ol className="mt-1 grid gap-x-8 gap-y-6 lg:grid-cols-2">
        <Step number={1} title="Organization" done>
          <p className="text-muted">
            You are in <strong className="font-medium text-ink">{org.name}</strong>. Its machines are named <span className="font-mono text-[0.82rem]">host.{org.slug}.zt.net</span>.
          </p>
        </Step>
        <Step number={2} title="Install CLI">
          <Install />
        </Step>
        <Step number={3} title="Connect">
          <div className="grid gap-2">
            <Command text={`sudo ztna login --api-url ${location.origin}`} />
            <Command text="sudo ztna up --daemon" />
          </div>
          <p className="mt-2 text-[0.83rem] text-muted">
            {isAdmin ? (
              <>
                No browser on it? Use an{" "}
                <Link to="/settings/auth-keys" className="rounded text-accent underline">
                  auth key
                </Link>{" "}
                with <code className="font-mono">ztna login --auth-key</code>.
              </>
            ) : (
              <>
                No browser on it? Use <code className="font-mono">ztna login --device</code>.
              </>
            )}
          </p>
        </Step>
        <Step number={4} title="Verify">
          {pending.data?.length ? (
            <PendingList machines={pending.data} />
          ) : (
            <p className="flex items-center gap-2.5 text-muted">
              <Dot colour="yellow" pulse /> Waiting for the first machine. It shows here by itself.
            </p>
          )}
        </Step>
      </ol>
    </Card>
  );
}

function Step({ number, title, done, children }: { number: number; title: string; done?: boolean; children: ReactNode }) {
  return (
    <li className="grid min-w-0 grid-cols-[auto_minmax(0,1fr)] gap-x-3">
      <span
        aria-hidden
        className={clsx("grid size-6.5 place-items-center rounded-full text-[0.8rem] font-semibold", done ? "bg-green-soft text-green" : "bg-accent-soft text-accent")}
      >
        {done ? <Check className="size-3.5" /> : number}
      </span>
      <div className="min-w-0">
        <h3 className="mb-2 leading-6.5 font-medium">{title}</h3>
        {children}
      </div>
    </li>
  );
}

function Install() {
  const [platform, setPlatform] = useState<Platform>(() => visitorPlatform(navigator.userAgent));
  return (
    <div className="grid gap-2">
      <select aria-label="Platform" className="field w-auto justify-self-start" value={platform} onChange={(event) => setPlatform(event.target.value as Platform)}>
        {Object.entries(installCommands).map(([key, { label }]) => (
          <option key={key} value={key}>
            {label}
          </option>
        ))}
      </select>
      {installCommands[platform].lines.map((line) => (
        <Command key={line} text={line} />
      ))}
    </div>
  );
}
