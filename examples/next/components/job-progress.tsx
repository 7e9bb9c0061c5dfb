"use client";

import { useRouter } from "next/navigation";
import { useJob } from "pushmill/react";
import { useEffect } from "react";

const ENDS = ["completed", "failed", "gone"];

/** Follows a job until it ends. Then the page is loaded again, with the row that the worker has written. */
export function JobProgress({ job, what }: { job: string; what: string }) {
  const { status, progress, reason } = useJob(`/api/jobs/${job}`);
  const router = useRouter();
  useEffect(() => {
    if (ENDS.includes(status)) router.refresh();
  }, [status, router]);
  if (status === "completed") return null;
  if (status === "failed") return <p className="fault">Could not be processed: {reason}</p>;
  const percent = typeof progress === "number" ? Math.round(progress) : 0;
  return (
    <div className="working">
      <span>Compressing the {what} …</span>
      <span>{percent} %</span>
      <progress max={100} value={percent} aria-label={`Progress of the ${what}`} />
    </div>
  );
}
