"use client";

import { usePush } from "pushmill/react";

const publicKey = process.env.NEXT_PUBLIC_VAPID_PUBLIC_KEY ?? "";

/** A button that switches web push on and off for this device. `userId`: who is signed in, if users share browsers. */
export function NotifyMe({ userId }: { userId?: string | number }) {
  const { state, busy, error, subscribe, unsubscribe } = usePush({ publicKey, userId });
  const on = state === "on";
  if (state === "loading") return null;
  if (state === "unsupported") return <p>This browser has no notifications.</p>;
  if (state === "ios-install") return <p>For notifications, add this page to the home screen first.</p>;
  if (state === "denied") return <p>Notifications are blocked in the settings of this browser.</p>;
  return (
    <p>
      <button type="button" disabled={busy} onClick={on ? unsubscribe : subscribe}>
        {on ? "Stop notifications" : "Notify me"}
      </button>
      {error && <span role="alert"> {String(error)}</span>}
    </p>
  );
}
