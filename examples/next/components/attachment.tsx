"use client";

import type { File } from "@/generated/prisma/client";
import { JobProgress } from "./job-progress";
import { Picture } from "./picture";

/** A file of a message, as its row says: being processed, failed, or ready to be shown. */
export function Attachment({ file, job }: { file: File; job: string | null }) {
  if (file.status === "failed") return <p className="fault">Could not be processed: {file.error}</p>;
  if (!file.processed) return job ? <JobProgress job={job} what={file.kind} /> : <Working what={file.kind} />;
  if (file.kind === "video") return <Video file={file} />;
  return <Picture file={file} />;
}

function Working({ what }: { what: string }) {
  return (
    <div className="working" role="status">
      <span>A {what} is on its way …</span>
      <progress aria-label={`Progress of the ${what}`} />
    </div>
  );
}

function Video({ file }: { file: File }) {
  return (
    // biome-ignore lint/a11y/useMediaCaption: users upload videos without captions
    <video
      className="media"
      src={file.url ?? ""}
      poster={file.posterUrl ?? undefined}
      width={file.width ?? undefined}
      height={file.height ?? undefined}
      controls
      playsInline
      preload="none"
    />
  );
}
