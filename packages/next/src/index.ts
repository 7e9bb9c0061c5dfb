export * from "./jobs.js";
export * from "./status.js";
