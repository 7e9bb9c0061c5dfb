"use client";

import { useState } from "react";

/** Asks the Edge route for a notification in five seconds: time to lock the screen. */
export function TestPush() {
  const [said, setSaid] = useState("");
  async function ask() {
    const answer = await fetch("/api/edge/test-push", { method: "POST" });
    setSaid(answer.ok ? "It comes in five seconds." : `That did not work: ${answer.status}`);
  }
  return (
    <>
      <button type="button" className="primary" onClick={() => void ask()}>
        Send a test
      </button>
      <span role="status" className="note">
        {said}
      </span>
    </>
  );
}
