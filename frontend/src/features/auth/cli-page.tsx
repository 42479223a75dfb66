import { useMutation, useSuspenseQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Unlink } from "lucide-react";
import { useState } from "react";
import { act } from "@/api/act";
import { chooseOrg, membershipsQuery, meQuery } from "@/api/current-org";
import { messageOf } from "@/api/error";
import { FormFailure } from "@/components/confirm";
import { FrontPage } from "@/components/front-page";
import { Notice } from "@/components/states";
import { Button, buttonClass } from "@/components/ui/button";
import { Fact, Facts } from "@/components/ui/card";
import { SelectField } from "@/components/ui/field";

interface Props {
  cliState: string | undefined;
  codeChallenge: string | undefined;
  port: number | undefined;
}

const TITLE = "Sign in on the command line";

/** Hands a one-time code to the `ztna login` that waits on this computer, once the person agrees. */
export function CliPage({ cliState, codeChallenge, port }: Props) {
  if (!cliState || !codeChallenge || !isPort(port)) {
    return (
      <FrontPage title={TITLE}>
        <Notice icon={<Unlink />} title="This link is incomplete">
          Run <code className="font-mono">ztna login</code> again and open the whole address it prints.
        </Notice>
      </FrontPage>
    );
  }
  return <Ask cliState={cliState} codeChallenge={codeChallenge} port={port} />;
}

function Ask({ cliState, codeChallenge, port }: { cliState: string; codeChallenge: string; port: number }) {
  const { data: user } = useSuspenseQuery(meQuery);
  const { data: memberships } = useSuspenseQuery(membershipsQuery);
  const [orgId, setOrgId] = useState(chooseOrg(memberships, null)?.id ?? "");
  const [denied, setDenied] = useState(false);
  const allow = useMutation({
    mutationFn: () =>
      act("auth", "cli_complete", { cli_state: cliState, code_challenge: codeChallenge, org_id: orgId }),
    onSuccess: ({ code }) => {
      location.assign(`http://127.0.0.1:${port}/callback?${new URLSearchParams({ code, state: cliState })}`);
    },
  });
  if (denied) {
    return (
      <FrontPage title={TITLE}>
        <p>Nothing was handed over. You can close this tab.</p>
      </FrontPage>
    );
  }
  if (memberships.length === 0) {
    return (
      <FrontPage title={TITLE} lead="A machine joins an organisation, and you have none yet.">
        <Link to="/create-org" className={buttonClass("primary")}>
          Create an organisation
        </Link>
      </FrontPage>
    );
  }
  return (
    <FrontPage title={TITLE} lead="A program on this computer asks to act as you. Allow it only if you have just run ztna login yourself.">
      <div className="grid gap-5">
        <div className="rounded-2xl border border-line bg-surface p-4 shadow-card">
          <Facts>
            <Fact name="Account">{user.email}</Fact>
            <Fact name="Goes to">
              <code className="font-mono text-[0.83rem]">127.0.0.1:{port}</code>
            </Fact>
          </Facts>
        </div>
        <SelectField label="Organisation" value={orgId} onChange={(event) => setOrgId(event.target.value)}>
          {memberships.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </SelectField>
        <FormFailure text={allow.error ? messageOf(allow.error) : null} />
        <div className="grid grid-cols-2 gap-2">
          <Button onClick={() => setDenied(true)} disabled={allow.isPending}>
            Deny
          </Button>
          <Button tone="primary" onClick={() => allow.mutate()} busy={allow.isPending || allow.isSuccess}>
            Allow
          </Button>
        </div>
      </div>
    </FrontPage>
  );
}

function isPort(port: number | undefined): port is number {
  return port !== undefined && Number.isInteger(port) && port > 0 && port < 65_536;
}
