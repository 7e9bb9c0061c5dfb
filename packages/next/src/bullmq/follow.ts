import type { QueueEvents } from "bullmq";
import type { Ending } from "./status.js";

/** A job that somebody follows. */
export interface Followed {
  /** Waits until the job has changed, or so many milliseconds. Returns how it ended, if bullmq has told it. */
  news(milliseconds: number, signal?: AbortSignal): Promise<Ending | undefined>;
  stop(): void;
}

/** Follows jobs of one queue over one connection, which is open while somebody follows one. */
export type Follow = (id: string) => Followed;

const CHANGES = [
  "active",
  "completed",
  "delayed",
  "failed",
  "progress",
  "removed",
  "waiting",
  "waiting-children",
] as const;

interface Told {
  jobId: string;
  returnvalue?: unknown;
  failedReason?: string;
}

export function follower(open: () => QueueEvents, close: (events: QueueEvents) => void): Follow {
  const followed = new Map<string, Set<(ending?: Ending) => void>>();
  let events: QueueEvents | undefined;

  const listen = () => {
    const opened = open();
    for (const change of CHANGES) {
      opened.on(change, (told: Told) => {
        for (const wake of followed.get(told.jobId) ?? []) wake(endingOf(change, told));
      });
    }
    return opened;
  };

  return (id) => {
    let ending: Ending | undefined;
    let isNews = false;
    let wakened = () => {};
    const wake = (told?: Ending) => {
      ending = told ?? ending;
      isNews = true;
      wakened();
    };
    events ??= listen();
    followed.set(id, (followed.get(id) ?? new Set()).add(wake));
    return {
      async news(milliseconds, signal) {
        if (!isNews && !signal?.aborted) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, milliseconds);
            wakened = () => {
              clearTimeout(timer);
              resolve();
            };
            signal?.addEventListener("abort", wakened, { once: true });
          });
          signal?.removeEventListener("abort", wakened);
        }
        isNews = false;
        return ending;
      },
      stop() {
        const others = followed.get(id);
        others?.delete(wake);
        if (!others?.size) followed.delete(id);
        if (followed.size || !events) return;
        close(events);
        events = undefined;
      },
    };
  };
}

function endingOf(change: (typeof CHANGES)[number], { returnvalue, failedReason }: Told): Ending | undefined {
  if (change === "completed") return { type: change, result: returnvalue };
  if (change === "failed") return { type: change, reason: failedReason ?? change };
  return change === "removed" ? { type: "gone" } : undefined;
}
