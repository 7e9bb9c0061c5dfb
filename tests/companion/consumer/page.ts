// A page with web push. It compiles without the types of Node.
import { type Push, type PushState, signOutOfPush, usePush } from "pushmill/react";
import { handlePush } from "pushmill/sw";

declare const key: string | undefined; // a variable of the environment may be missing

export const usePage = (): Push => usePush({ publicKey: key });
export const useState = (userId: number | undefined): PushState =>
  usePush({ publicKey: key, url: "/push", serviceWorker: null, userId }).state;
export const leave: Promise<void> = signOutOfPush();

handlePush(self, { title: "Hello" });
