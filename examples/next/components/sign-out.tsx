"use client";

import { usePush } from "pushmill/react";
import { signOut } from "@/app/actions";

/** Ends the session, and first this device's subscription: the next user must not see this user's messages. */
export function SignOut({ publicKey }: { publicKey: string }) {
  const { unsubscribe } = usePush({ publicKey });
  return (
    <form
      action={async () => {
        await unsubscribe().catch(() => undefined);
        await signOut();
      }}
    >
      <button type="submit">Sign out</button>
    </form>
  );
}
