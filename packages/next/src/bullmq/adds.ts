import type { Job } from "bullmq";
import type { JobName, Payload, Result } from "../status.js";
import type { BullOptions } from "./options.js";

/** The job that `add` gives for a name. */
export type JobOf<Name extends JobName> = Job<Payload<Name>, Result<Name>, Name>;

/** The row that changed. All else that `index_doc` takes would be lost where the job is not the last of its row. */
export type RowChange = Pick<Payload<"index_doc">, "entity" | "id">;

// A job of the queue without a priority would run before all that have one.
const PASSWORD_RESET = { priority: 1 };
const OTHER_MAIL = { priority: 5 };

/** A method for each job of the worker, over `add`. */
export abstract class TypedAdds {
  abstract add<Name extends JobName>(name: Name, data: Payload<Name>, options?: BullOptions): Promise<JobOf<Name>>;

  /** Adds a push to all devices of a user. */
  addPushNotification(data: Payload<"push-notification">, options?: BullOptions): Promise<JobOf<"push-notification">> {
    return this.add("push-notification", data, options);
  }

  /** Adds a push to many users, or to all. */
  addBatchPushNotification(data: Payload<"push-batch">, options?: BullOptions): Promise<JobOf<"push-batch">> {
    return this.add("push-batch", data, options);
  }

  /** Adds the compression of an uploaded image. */
  addImageProcessing(data: Payload<"process-image">, options?: BullOptions): Promise<JobOf<"process-image">> {
    return this.add("process-image", data, options);
  }

  /** Adds the encoding of an uploaded video. */
  addVideoProcessing(data: Payload<"process-video">, options?: BullOptions): Promise<JobOf<"process-video">> {
    return this.add("process-video", data, options);
  }

  /** Adds the sizes of an avatar. */
  addAvatarOptimization(data: Payload<"optimize-avatar">, options?: BullOptions): Promise<JobOf<"optimize-avatar">> {
    return this.add("optimize-avatar", data, options);
  }

  /** Adds the conversion of an uploaded file, or the extraction of its text. */
  addFileProcessing(data: Payload<"process-file">, options?: BullOptions): Promise<JobOf<"process-file">> {
    return this.add("process-file", data, options);
  }

  /** Adds an e-mail, with priority 5. */
  sendEmail(data: Payload<"send-email">, options?: BullOptions): Promise<JobOf<"send-email">> {
    return this.add("send-email", data, { ...OTHER_MAIL, ...options });
  }

  /** Adds an e-mail that a person waits for: priority 1, and 5 attempts. */
  passwordReset(data: Payload<"password_reset">, options?: BullOptions): Promise<JobOf<"password_reset">> {
    return this.add("password_reset", data, { ...PASSWORD_RESET, ...options });
  }

  /** The same as `sendEmail`, by the name that other producers use. */
  generic(data: Payload<"generic">, options?: BullOptions): Promise<JobOf<"generic">> {
    return this.add("generic", data, { ...OTHER_MAIL, ...options });
  }

  /** Tells a user, or several, something in the app, and by `channels` with a push or an e-mail. */
  notify(data: Payload<"user-notification">, options?: BullOptions): Promise<JobOf<"user-notification">> {
    return this.add("user-notification", data, options);
  }

  /**
   * Brings a row's document up to date. While such a job of the row waits, no second one is added, and of those that
   * come while it runs, the last one follows: the worker reads the row when the job runs.
   */
  indexDoc(data: RowChange, options?: BullOptions): Promise<JobOf<"index_doc">> {
    const deduplication = { id: `${data.entity}:${data.id}`, keepLastIfActive: true };
    return this.add("index_doc", data, { deduplication, ...options });
  }

  /**
   * Makes a value of the app's cache. While such a job of the key waits, no second one is added, and of those that come
   * while it runs, the last one follows: what has changed meanwhile gets in.
   */
  warmCache(data: Payload<"cache-warm">, options?: BullOptions): Promise<JobOf<"cache-warm">> {
    const deduplication = { id: `warm:${data.cacheKey}`, keepLastIfActive: true };
    return this.add("cache-warm", data, { deduplication, ...options });
  }

  /** Deletes old files, objects or rows, within what the worker's settings allow. */
  cleanup(data: Payload<"cleanup">, options?: BullOptions): Promise<JobOf<"cleanup">> {
    return this.add("cleanup", data, options);
  }

  /** Fills the search index of an entity; with `rebuild`, a new one that takes the place of the old one. */
  backfill(data: Payload<"backfill">, options?: BullOptions): Promise<JobOf<"backfill">> {
    return this.add("backfill", data, options);
  }

  /** Exports the rows of a view as a file; the result has a link to it. */
  addExport(data: Payload<"data-export">, options?: BullOptions): Promise<JobOf<"data-export">> {
    return this.add("data-export", data, options);
  }
}
