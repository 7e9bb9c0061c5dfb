"use client";

import { signOutOfPush } from "pushmill/react";
import { signOut } from "@/app/actions";

/** Ends the session, and first this device's subscription: the next user must not see this user's messages. */
export function SignOut() {
  return (
    <form
      action={async () => {
        await signOutOfPush();
        await signOut();
      }}
    >
      <button type="submit">Sign out</button>
    </form>
  );
}
