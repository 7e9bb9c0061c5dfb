"use client";

import { useRouter } from "next/navigation";
import { useJob } from "pushmill/react";
import { useEffect } from "react";

/** Follows a job until it ends; then the page is asked for again, with the row that the worker has written. */
export function JobProgress({ job, what }: { job: string; what: string }) {
  const { status, progress } = useJob(`/api/jobs/${job}`);
  const router = useRouter();
  useEffect(() => {
    if (status === "completed" || status === "failed") router.refresh();
  }, [status, router]);
  const percent = typeof progress === "number" ? Math.round(progress) : 0;
  return (
    <div className="working">
      <span>
        Compressing the {what} … {percent} %
      </span>
      <progress max={100} value={percent} aria-label={`Progress of the ${what}`} />
    </div>
  );
}
