"use client";

import { useUpload } from "pushmill/react";
import { useRef } from "react";
import { sendFile, sendMessage } from "@/app/actions";

/** Writes a message, or sends a picture or a video: the browser uploads it straight to the bucket. */
export function Composer({ toId, toName }: { toId: string; toName: string }) {
  const form = useRef<HTMLFormElement>(null);
  const { upload, progress, busy, error } = useUpload();

  async function attach(file: File) {
    const uploaded = await upload(file, { kind: file.type.startsWith("video/") ? "video" : "image" });
    if (uploaded) await sendFile(toId, String(uploaded.fileId), uploaded.job); // else `error` says why
  }

  async function submit(data: FormData) {
    form.current?.reset();
    await sendMessage(toId, data);
  }

  return (
    <div className="composer">
      {busy && <progress max={100} value={progress} aria-label="Upload" />}
      {error && (
        <p role="alert" className="fault">
          {error.message}
        </p>
      )}
      <form ref={form} action={submit}>
        <label className="attach" title="Send a picture or a video">
          <span className="hidden">Send a picture or a video</span>
          <input
            type="file"
            accept="image/*,video/*"
            disabled={busy}
            onChange={({ target }) => {
              const [file] = target.files ?? [];
              target.value = "";
              if (file) void attach(file);
            }}
          />
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M12 5v14M5 12h14" />
          </svg>
        </label>
        <input
          name="text"
          aria-label={`Message to ${toName}`}
          placeholder="Message"
          maxLength={2000}
          autoComplete="off"
          enterKeyHint="send"
          required
        />
        <button type="submit" className="primary send" aria-label="Send">
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M5 12h14M13 6l6 6-6 6" />
          </svg>
        </button>
      </form>
    </div>
  );
}
