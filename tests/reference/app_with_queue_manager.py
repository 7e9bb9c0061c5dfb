"""The files of an app with one queue manager, as such apps have them."""

# The manager: in place of the one queue `jobs` a job's type chooses its queue, so that a film keeps no mail waiting.
FILES = {
    "queue.types.ts": """
export const JobType = {
  EMAIL_SEND: 'EMAIL_SEND',
  USER_NOTIFICATION: 'USER_NOTIFICATION',
  DATA_EXPORT: 'DATA_EXPORT',
  FILE_PROCESS: 'FILE_PROCESS',
  CACHE_WARM: 'CACHE_WARM',
  CLEANUP: 'CLEANUP'
} as const;

export const JobPriority = {
  LOW: 1,
  NORMAL: 5,
  HIGH: 10,
  URGENT: 20
} as const;

export interface JobOptions {
  priority?: number;
  delay?: number;
  attempts?: number;
  jobId?: string;
  removeOnComplete?: boolean | number;
  removeOnFail?: boolean | number;
}
""",
    "queue.manager.ts": """
import { Queue } from "bullmq";
import { connection } from "@/lib/connection";
import type { JobOptions } from "./queue.types";

const QUEUES = {
  EMAIL_SEND: new Queue("email", { connection }),
  USER_NOTIFICATION: new Queue("notifications", { connection }),
  FILE_PROCESS: new Queue("file-processing", { connection }),
};
const all = Object.values(QUEUES);

const clean = async (age: number, state: "completed" | "failed") =>
  (await Promise.all(all.map((queue) => queue.clean(age, 1000, state)))).flat();

export const queueManager = {
  addJob: (type: keyof typeof QUEUES, data: object, options?: JobOptions) => QUEUES[type].add(type, data, options),
  getJob: async (id: string) => (await Promise.all(all.map((queue) => queue.getJob(id)))).find(Boolean),
  getStats: async () => {
    const counts = await Promise.all(all.map((queue) => queue.getJobCounts()));
    return counts.reduce((sum, each) => {
      for (const [state, count] of Object.entries(each)) sum[state] = (sum[state] ?? 0) + count;
      return sum;
    }, {});
  },
  pause: () => Promise.all(all.map((queue) => queue.pause())),
  resume: () => Promise.all(all.map((queue) => queue.resume())),
  cleanCompleted: (age: number) => clean(age, "completed"),
  cleanFailed: (age: number) => clean(age, "failed"),
};
""",
}
IMPORTS = """
import { queueManager } from "@/queue.manager";
import { JobPriority, JobType } from "@/queue.types";
import { finished } from "@/lib/finished";
"""
