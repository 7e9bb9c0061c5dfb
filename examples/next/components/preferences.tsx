"use client";

import type { Preference } from "pushmill/next";
import { useState } from "react";
import { QuietHours } from "./quiet-hours";

const CHANNELS = { "in-app": "In the app, at the bell", push: "On my devices, as a push" } as const;

/** What the user wants to receive, and when. Each change is saved at once. */
export function Preferences({ preferences }: { preferences: Preference[] }) {
  const [rows, setRows] = useState(preferences);
  const [said, setSaid] = useState("");

  async function save(change: Partial<Preference>) {
    const answer = await fetch("/api/preferences", {
      method: "PATCH",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(change),
    }).catch(() => null);
    if (answer?.ok) setRows((await answer.json()).preferences);
    setSaid(answer?.ok ? "Saved." : "That could not be saved.");
  }

  const rowOf = (channel: string) => rows.find((row) => row.channel === channel && row.type === "*");
  return (
    <>
      <section aria-labelledby="channels">
        <h2 id="channels">Where</h2>
        {Object.entries(CHANNELS).map(([channel, label]) => (
          <label key={channel} className="switch">
            <input
              type="checkbox"
              checked={rowOf(channel)?.enabled ?? true}
              onChange={(event) =>
                void save({ channel: channel as Preference["channel"], enabled: event.target.checked })
              }
            />
            {label}
          </label>
        ))}
      </section>
      <section aria-labelledby="quiet">
        <h2 id="quiet">Quiet hours</h2>
        <QuietHours row={rowOf("*")} save={save} />
      </section>
      <p role="status" className="note">
        {said}
      </p>
    </>
  );
}
