importScripts("/pushmill-sw.js");
pushmill.handlePush(self);
