// A service worker that a bundler builds. It compiles without the types of pages.
import { handlePush } from "pushmill/sw";

declare const self: ServiceWorkerGlobalScope;

handlePush(self);
handlePush(self, { title: "Mill", icon: "/icon.png", subscribeUrl: "/push" });
