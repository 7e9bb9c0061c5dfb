"use client";

import { usePush } from "pushmill/react";

/**
 * Offers notifications beside the list of people, until they are on or refused. It is on every page, so that usePush
 * renews a subscription that the browser has lost.
 */
export function PushNudge({ publicKey, userId }: { publicKey: string; userId: string }) {
  const { state, busy, subscribe } = usePush({ publicKey, userId });
  if (state !== "off") return null;
  return (
    <p className="nudge">
      Know at once when someone writes.
      <button type="button" aria-label="Turn on notifications" disabled={busy} onClick={() => void subscribe()}>
        Turn on
      </button>
    </p>
  );
}
