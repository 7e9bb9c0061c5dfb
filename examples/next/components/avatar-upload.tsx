"use client";

import { useUpload } from "pushmill/react";
import { useState } from "react";
import { Avatar } from "./avatar";
import { JobProgress } from "./job-progress";

/** Uploads a picture of the user. The worker makes it square and small, and writes its URL into the user's row. */
export function AvatarUpload({ user }: { user: { name: string; image: string | null } }) {
  const { upload, progress, busy, error } = useUpload();
  const [job, setJob] = useState<string>();

  async function choose(file: File) {
    const uploaded = await upload(file, { kind: "avatar" });
    if (uploaded) setJob(`${uploaded.job.queue}/${uploaded.job.id}`); // else `error` says why
  }

  return (
    <div className="row">
      <Avatar user={user} />
      <label className="button">
        Choose a picture
        <input
          type="file"
          accept="image/*"
          disabled={busy}
          onChange={({ target }) => {
            const [file] = target.files ?? [];
            target.value = "";
            if (file) void choose(file);
          }}
        />
      </label>
      {busy && <progress max={100} value={progress} aria-label="Upload" />}
      {job && <JobProgress key={job} job={job} what="avatar" />}
      {error && (
        <p role="alert" className="fault">
          {error.message}
        </p>
      )}
    </div>
  );
}
