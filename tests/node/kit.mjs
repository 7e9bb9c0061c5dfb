// Where the packages come from: of the folder in NODE_KIT, which has one major of bullmq.
import { createRequire } from "node:module";

export const load = createRequire(`${process.env.NODE_KIT}/`);
