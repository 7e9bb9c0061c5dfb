import type { FlowJob } from "bullmq";
import type { JobName, Payload } from "../status.js";
import { type BullOptions, type ChildOptions, checkOptions, ofChild } from "./options.js";

/** A job that runs when its children are done; they may be of other queues. */
export type Flow = FlowOf<BullOptions>;
export type FlowChild = FlowOf<ChildOptions>;

const MOST_CHILDREN = 1000; // of one job: all are added in one step

type FlowOf<Options> = {
  [Name in JobName]: { name: Name; data: Payload<Name>; options?: Options; children?: FlowChild[] };
}[JobName];

/** The flow for bullmq's FlowProducer. All options are checked before any job is added. */
export function flowJob(flow: Flow | FlowChild, queueOf: (name: string) => string, isChild = false): FlowJob {
  const { name, data, options = {}, children } = flow;
  const queueName = queueOf(name);
  checkOptions(name, options, isChild);
  if (children && children.length > MOST_CHILDREN) {
    throw new TypeError(`${name}: a job of a flow has at most 1,000 children, and this one ${children.length}`);
  }
  const node = { name, queueName, data, opts: isChild ? ofChild(options) : options };
  // bullmq's types tell leaves and parents apart, which a recursion can't.
  return (children ? { ...node, children: children.map((child) => flowJob(child, queueOf, true)) } : node) as FlowJob;
}
