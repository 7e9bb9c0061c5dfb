/** What this browser allows, without a look at its subscription. */
export function standing(): "unsupported" | "ios-install" | "denied" | "off" {
  if (!("serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis)) {
    return isIos() && !isInstalled() ? "ios-install" : "unsupported";
  }
  return Notification.permission === "denied" ? "denied" : "off";
}

// An iPad says that it is a Mac, but no Mac has a touch screen.
const isIos = () =>
  /iP(hone|ad|od)/.test(navigator.userAgent) || (/Mac/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);

const isInstalled = () => "standalone" in navigator && navigator.standalone; // only iOS has it
