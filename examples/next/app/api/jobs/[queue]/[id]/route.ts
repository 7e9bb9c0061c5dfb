import { jobRoute } from "pushmill/next";
import { queues } from "@/lib/pushmill";
import { sessionUserId } from "@/lib/session";

/** What becomes of a job, as server-sent events: only for the user in its payload. */
export const { GET } = jobRoute({ source: queues, userId: sessionUserId });
