export type * from "./jobs.js";
