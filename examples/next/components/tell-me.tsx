"use client";

import { useActionState } from "react";
import { tellMe } from "@/app/actions";

/** Asks the worker for a notification to the user, which the bell then shows. */
export function TellMe() {
  const [said, tell, isBusy] = useActionState(tellMe, "");
  return (
    <form action={tell} className="row">
      <button type="submit" className="primary" disabled={isBusy}>
        Ring the bell
      </button>
      <span role="status" className="note">
        {said}
      </span>
    </form>
  );
}
