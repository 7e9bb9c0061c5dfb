// A team's own jobs. jobs.ts is what `JOBS=... python -m scripts.typescript_types` prints.
import { type JobName, type OwnQueues, type Payload, queueOf, type Result } from "pushmill";
import { QueueService } from "pushmill/bullmq";
import { createClient } from "pushmill/http";
import { OWN_QUEUES, type SendInvoice } from "./jobs.js";

export const queues: OwnQueues = OWN_QUEUES;
export const queue: string = queueOf("send-invoice", OWN_QUEUES);
export const names: JobName[] = ["send-invoice", "process-image"];
export const payload: Payload<"send-invoice"> = { invoiceId: "i-1", format: "letter" };
export const same: SendInvoice = payload;
export const copies = (result: Result<"send-invoice">): number => result.copies;

// @ts-expect-error: a payload of another job
export const wrong: Payload<"send-invoice"> = { userId: 1 };
// @ts-expect-error: the queue of a job is missing
export const missing: OwnQueues = {};
// @ts-expect-error: so is that of another one
export const half = new QueueService({ connection: { url: "redis://localhost" }, queues: {} });

export async function add(): Promise<string> {
  const client = createClient({ url: "https://worker.example.com", token: "t" });
  const job = await client.submit("send-invoice", payload);
  const service = new QueueService({ connection: { url: "redis://localhost" }, queues: OWN_QUEUES });
  const added = await service.add("send-invoice", payload);
  return job.id + added.returnvalue.copies.toFixed();
}
