import { useCallback, useEffect, useRef, useState } from "react";
import type { UploadKind } from "../next/upload-kinds.js";
import { sendFile, type Uploaded } from "./send-file.js";

export interface Upload {
  /**
   * Upload a file, and have it processed. null: it failed or was aborted; `error` says why. Calls at once take turns.
   */
  upload(file: File, options: { kind: UploadKind }): Promise<Uploaded | null>;
  /** End the upload that runs, and those that wait. */
  abort(): void;
  /** 0 to 100: how much of the file was sent. What its job does then is told by `useJob`. */
  progress: number;
  busy: boolean;
  error: Error | null;
}

const IDLE = { progress: 0, busy: false, error: null as Error | null };

/** Uploads straight to the bucket, by the handlers of `uploadRoutes` at `url`. */
export function useUpload({ url = "/api/uploads" }: { url?: string } = {}): Upload {
  const [state, setState] = useState(IDLE);
  const turn = useRef<Promise<unknown>>(Promise.resolve());
  const aborting = useRef(new AbortController());

  const abort = useCallback(() => {
    aborting.current.abort();
    aborting.current = new AbortController();
  }, []);
  useEffect(() => abort, [abort]);

  const upload = useCallback(
    (file: File, { kind }: { kind: UploadKind }) => {
      const { signal } = aborting.current;
      const run = async () => {
        setState({ ...IDLE, busy: true });
        const onProgress = (part: number) => setState({ ...IDLE, busy: true, progress: Math.floor(part * 100) });
        try {
          const uploaded = await sendFile(url, file, kind, onProgress, signal);
          setState({ ...IDLE, progress: 100 });
          return uploaded;
        } catch (error) {
          setState({ ...IDLE, error: error as Error });
          return null;
        }
      };
      const uploaded = turn.current.then(run);
      turn.current = uploaded;
      return uploaded;
    },
    [url],
  );

  return { ...state, upload, abort };
}
