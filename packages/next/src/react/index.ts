"use client";

export type { Uploaded } from "./send-file.js";
export { type Upload, useUpload } from "./use-upload.js";
