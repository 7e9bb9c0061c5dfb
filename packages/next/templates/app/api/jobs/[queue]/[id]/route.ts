import { jobRoute } from "pushmill/next";
import { queues } from "@/lib/pushmill";
import { userId } from "@/lib/user-id";

export const { GET } = jobRoute({ source: queues, userId });
