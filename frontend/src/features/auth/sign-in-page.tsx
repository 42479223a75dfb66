import { useState, type SubmitEvent } from "react";
import { messageOf } from "@/api/error";
import { signIn, signUp } from "@/api/session";
import { FormFailure } from "@/components/confirm";
import { FrontPage } from "@/components/front-page";
import { Notice } from "@/components/states";
import { Button } from "@/components/ui/button";
import { TextField } from "@/components/ui/field";
import { Tabs } from "@/components/ui/tabs";
import { MailCheck } from "lucide-react";

export type SignInTab = "sign-in" | "sign-up";

interface Props {
  tab: SignInTab;
  onTab: (tab: SignInTab) => void;
  onSignedIn: () => void;
}

const SHORTEST_PASSWORD = 8;

export function SignInPage({ tab, onTab, onSignedIn }: Props) {
  return (
    <FrontPage title={tab === "sign-in" ? "Sign in to QuickZTNA" : "Create your account"}>
      <Tabs
        label="Sign in or sign up"
        value={tab}
        onChange={onTab}
        stretched
        tabs={[
          { value: "sign-in", label: "Sign in", content: <SignInForm onSignedIn={onSignedIn} /> },
          { value: "sign-up", label: "Sign Up", content: <SignUpForm onSignedIn={onSignedIn} /> },
        ]}
      />
    </FrontPage>
  );
}

function SignInForm({ onSignedIn }: { onSignedIn: () => void }) {
  const form = useForm(async (values) => {
    await signIn(values("email"), values("password"));
    onSignedIn();
  });
  return (
    <form className="grid gap-4" onSubmit={form.submit}>
      <TextField label="E-mail" name="email" type="email" autoComplete="username" required />
      <TextField label="Password" name="password" type="password" autoComplete="current-password" required />
      <FormFailure text={form.failure} />
      <Button type="submit" tone="primary" busy={form.busy}>
        Sign in
      </Button>
    </form>
  );
}

function SignUpForm({ onSignedIn }: { onSignedIn: () => void }) {
  const [confirmFor, setConfirmFor] = useState<string | null>(null);
  const form = useForm(async (values) => {
    const signedIn = await signUp(values("email"), values("password"), values("full_name").trim());
    if (signedIn) onSignedIn();
    else setConfirmFor(values("email"));
  });
  if (confirmFor) {
    return (
      <Notice icon={<MailCheck />} title="Check your mailbox">
        If {confirmFor} is new here, a link to confirm it is on its way. If you already have an account, sign in instead.
      </Notice>
    );
  }
  return (
    <form className="grid gap-4" onSubmit={form.submit}>
      <TextField label="Name" name="full_name" autoComplete="name" maxLength={200} placeholder="Optional" />
      <TextField label="E-mail" name="email" type="email" autoComplete="username" required />
      <TextField
        label="Password"
        name="password"
        type="password"
        autoComplete="new-password"
        minLength={SHORTEST_PASSWORD}
        maxLength={128}
        required
        hint={`${SHORTEST_PASSWORD} characters or more. A sentence is stronger than a word.`}
      />
      <FormFailure text={form.failure} />
      <Button type="submit" tone="primary" busy={form.busy}>
        Create account
      </Button>
    </form>
  );
}

/** Sends a form's fields, one at a time, and holds why it was refused. */
function useForm(send: (values: (name: string) => string) => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  async function run(data: FormData) {
    setBusy(true);
    setFailure(null);
    try {
      await send((name) => {
        const value = data.get(name);
        return typeof value === "string" ? value : "";
      });
    } catch (error) {
      setFailure(messageOf(error));
    } finally {
      setBusy(false);
    }
  }
  return {
    busy,
    failure,
    submit: (event: SubmitEvent<HTMLFormElement>) => {
      event.preventDefault();
      void run(new FormData(event.currentTarget));
    },
  };
}
