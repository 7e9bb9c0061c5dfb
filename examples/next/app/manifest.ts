import type { MetadataRoute } from "next";

/** With `display: standalone` iOS can install the app, and only installed apps get pushes there. */
export default function manifest(): MetadataRoute.Manifest {
  return {
    id: "/",
    name: "Mill",
    short_name: "Mill",
    description: "A small chat on Next.js and Pushmill",
    start_url: "/",
    display: "standalone",
    background_color: "#f6f4ee",
    theme_color: "#1d6a54",
    icons: [
      { src: "/icons/192.png", sizes: "192x192", type: "image/png" },
      { src: "/icons/512.png", sizes: "512x512", type: "image/png" },
      { src: "/icons/maskable.png", sizes: "512x512", type: "image/png", purpose: "maskable" },
    ],
  };
}
