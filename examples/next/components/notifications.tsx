"use client";

import { usePush } from "pushmill/react";
import { TestPush } from "./test-push";

const SAYS = {
  loading: "Looking …",
  unsupported: "This browser can't show notifications.",
  denied: "You have blocked notifications for this site. Allow them in the browser's settings.",
  "ios-install": "On an iPhone or iPad: choose “Add to Home Screen” in the Share menu, and open the app from there.",
  off: "Get a notification on this device when someone writes to you.",
  on: "This device gets a notification when someone writes to you.",
} as const;

/** Switches notifications of this device on and off. The browser asks the user only after the click. */
export function Notifications({ publicKey, userId }: { publicKey: string; userId: string }) {
  const { state, busy, error, subscribe, unsubscribe } = usePush({ publicKey, userId });
  return (
    <>
      <p role="status" data-push={state}>
        {SAYS[state]}
      </p>
      {state === "off" && (
        <button type="button" className="primary" disabled={busy} onClick={() => void subscribe()}>
          Notify me
        </button>
      )}
      {state === "on" && (
        <div className="row">
          <TestPush />
          <button type="button" disabled={busy} onClick={() => void unsubscribe()}>
            Turn off
          </button>
        </div>
      )}
      {error && (
        <p role="alert" className="fault">
          {error}
        </p>
      )}
    </>
  );
}
