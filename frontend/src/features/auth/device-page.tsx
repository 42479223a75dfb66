import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { act } from "@/api/act";
import { messageOf } from "@/api/error";
import { FormFailure } from "@/components/confirm";
import { FrontPage } from "@/components/front-page";
import { Timestamp } from "@/components/timestamp";
import { Button } from "@/components/ui/button";
import { Fact, Facts } from "@/components/ui/card";
import { TextField } from "@/components/ui/field";

type Verdict = "approve" | "deny";

const TITLE = "Sign in another device";

/** Takes the code that `ztna login --device` shows on a machine without a browser. */
export function DevicePage({ code }: { code: string }) {
  const [userCode, setUserCode] = useState(code);
  const lookup = useMutation({ mutationFn: () => act("auth/device", "lookup", { user_code: userCode.trim() }) });
  const decide = useMutation({ mutationFn: (verdict: Verdict) => act("auth/device", verdict, { user_code: userCode.trim() }) });

  if (decide.isSuccess) {
    return (
      <FrontPage title={TITLE}>
        <p>{decide.variables === "approve" ? "Done. The device signs in within a few seconds." : "Denied. The device was told so."} You can close this tab.</p>
      </FrontPage>
    );
  }
  if (lookup.data) {
    return (
      <FrontPage title={TITLE} lead="Allow it only if you see this code on a device in front of you.">
        <div className="grid gap-5">
          <p className="text-center font-mono text-[1.6rem] font-semibold tracking-[0.14em]">{userCode.trim().toUpperCase()}</p>
          <div className="rounded-2xl border border-line bg-surface p-4 shadow-card">
            <Facts>
              <Fact name="Host">{lookup.data.hostname ?? "not told"}</Fact>
              <Fact name="Asks from">
                <code className="font-mono text-[0.83rem]">{lookup.data.ip}</code>
              </Fact>
              <Fact name="Since">
                <Timestamp at={lookup.data.created_at} />
              </Fact>
            </Facts>
          </div>
          <FormFailure text={decide.error ? messageOf(decide.error) : null} />
          <div className="grid grid-cols-2 gap-2">
            <Button onClick={() => decide.mutate("deny")} disabled={decide.isPending}>
              Deny
            </Button>
            <Button tone="primary" onClick={() => decide.mutate("approve")} busy={decide.isPending}>
              Allow
            </Button>
          </div>
        </div>
      </FrontPage>
    );
  }
  return (
    <FrontPage title={TITLE} lead="Enter the code that the device shows.">
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          lookup.mutate();
        }}
      >
        <TextField
          label="Code"
          value={userCode}
          onChange={(event) => setUserCode(event.target.value)}
          autoComplete="off"
          spellCheck={false}
          autoCapitalize="characters"
          required
          className="font-mono tracking-[0.1em] uppercase"
          error={lookup.error ? messageOf(lookup.error) : null}
        />
        <Button type="submit" tone="primary" busy={lookup.isPending}>
          Continue
        </Button>
      </form>
    </FrontPage>
  );
}
