import type { NextConfig } from "next";

const config: NextConfig = {
  poweredByHeader: false,
  serverExternalPackages: ["bullmq", "ioredis"],
  // A browser must see a new service worker at once.
  headers: async () => [
    { source: "/:name(sw|pushmill-sw).js", headers: [{ key: "Cache-Control", value: "no-cache" }] },
    { source: "/:path*", headers: [{ key: "X-Content-Type-Options", value: "nosniff" }] },
  ],
};

export default config;
