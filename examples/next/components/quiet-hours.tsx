"use client";

import type { Preference } from "pushmill/next";
import { type FormEvent, useEffect, useState } from "react";

type Props = { row: Preference | undefined; save: (change: Partial<Preference>) => Promise<void> };

/** The times in which pushes wait, by the clock of a time zone: at first the browser's own. */
export function QuietHours({ row, save }: Props) {
  const [zones, setZones] = useState<string[]>([]);
  useEffect(() => setZones(zonesWith(row?.timeZone)), [row?.timeZone]);

  const set = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [quietFrom, quietTo, timeZone] = ["from", "to", "zone"].map((name) => String(form.get(name)));
    void save({ quietFrom, quietTo, timeZone });
  };
  return (
    <form onSubmit={set} className="quiet">
      <p>Pushes that come in these hours wait until they end.</p>
      <div className="row">
        <label>
          From <input type="time" name="from" required defaultValue={row?.quietFrom ?? "22:00"} />
        </label>
        <label>
          to <input type="time" name="to" required defaultValue={row?.quietTo ?? "07:00"} />
        </label>
      </div>
      <label>
        Time zone{" "}
        <select name="zone" key={zones.length} defaultValue={row?.timeZone ?? ownZone()}>
          {zones.map((zone) => (
            <option key={zone}>{zone}</option>
          ))}
        </select>
      </label>
      <div className="row">
        <button type="submit" className="primary">
          {row?.quietFrom ? "Save" : "Turn on"}
        </button>
        {row?.quietFrom && (
          <button type="button" onClick={() => void save({ quietFrom: null, quietTo: null })}>
            Turn off
          </button>
        )}
      </div>
    </form>
  );
}

const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The browser's list, which has neither UTC nor each name that another browser has. */
function zonesWith(zone: string | null | undefined): string[] {
  return [...new Set([...(zone ? [zone] : []), ownZone(), "UTC", ...Intl.supportedValuesOf("timeZone")])].sort();
}
