"use client";

import { useRouter } from "next/navigation";
import { useEffect } from "react";

const EVERY = 2500; // milliseconds

/**
 * Asks the server for what is new, while the page is seen. An app with a realtime service calls `router.refresh()` when
 * that service says so, and needs no interval.
 */
export function LiveRefresh() {
  const router = useRouter();
  useEffect(() => {
    const look = () => document.visibilityState === "visible" && router.refresh();
    const interval = setInterval(look, EVERY);
    document.addEventListener("visibilitychange", look);
    return () => {
      clearInterval(interval);
      document.removeEventListener("visibilitychange", look);
    };
  }, [router]);
  return null;
}
