"use client";

import type { Result } from "pushmill";
import { useJob } from "pushmill/react";
import { useActionState } from "react";
import { exportOrders } from "@/app/actions";

/** Adds the job of an export, follows it, and links to its file. */
export function ExportOrders() {
  const [job, start, isAdding] = useActionState(exportOrders, null);
  const { status, progress, result, reason } = useJob<Result<"data-export">>(job && `/api/jobs/${job.queue}/${job.id}`);
  const isBusy = isAdding || (job !== null && !["completed", "failed", "gone", "error"].includes(status));
  return (
    <div className="export">
      <form action={start} className="row">
        <button type="submit" name="type" value="xlsx" disabled={isBusy}>
          For Excel
        </button>
        <button type="submit" name="type" value="csv" disabled={isBusy}>
          As CSV
        </button>
      </form>
      {isBusy && <Working percent={typeof progress === "number" ? Math.round(progress) : 0} />}
      {!isBusy && result && <Ready {...result} />}
      {!isBusy && reason && <p className="fault">Could not be exported: {reason}</p>}
    </div>
  );
}

function Working({ percent }: { percent: number }) {
  return (
    <div className="row" role="status">
      <span className="note">Exporting … {percent} %</span>
      <progress max={100} value={percent} aria-label="Progress of the export" />
    </div>
  );
}

function Ready({ url, rows }: { url: string; rows: number }) {
  return (
    <p className="row" role="status">
      <a href={url} className="button primary">
        Download
      </a>
      <span className="note">{rows === 1 ? "1 order" : `${rows} orders`}</span>
    </p>
  );
}
