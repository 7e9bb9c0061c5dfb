import { adminRoute } from "pushmill/next";

// Who may see and change all jobs. Replace this by your check for administrators: until then it is `next dev` only.
const allow = () => process.env.NODE_ENV === "development";

export const { GET, POST } = adminRoute({ url: process.env.PUSHMILL_URL, token: process.env.PUSHMILL_TOKEN, allow });
