// The service worker. It may do more than push: call handlePush from any other one.
importScripts("/pushmill-sw.js");
pushmill.handlePush(self, { title: "Mill", icon: "/icons/192.png" });
