import type { ReactNode } from "react";
import { LiveRefresh } from "@/components/live-refresh";
import { People } from "@/components/people";
import { requireUser } from "@/lib/users";

/** The people at the side, what is chosen beside them. A phone shows one of the two. */
export default async function Layout({ children }: { children: ReactNode }) {
  const user = await requireUser();
  return (
    <div className="shell">
      <People user={user} />
      {children}
      <LiveRefresh />
    </div>
  );
}
