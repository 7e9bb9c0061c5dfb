import type { Metadata } from "next";
import Link from "next/link";
import type { Preference } from "pushmill/next";
import { Bell } from "@/components/bell";
import { Preferences } from "@/components/preferences";
import { prisma } from "@/lib/prisma";
import { requireUser } from "@/lib/users";

export const metadata: Metadata = { title: "What reaches you" };

export default async function Page() {
  const { id } = await requireUser();
  const preferences = (await prisma.notificationPreference.findMany({ where: { userId: id } })) as Preference[];
  return (
    <main className="pane preferences">
      <div className="bar">
        <Link href="/settings" className="back" aria-label="Back to the settings">
          ‹
        </Link>
        <h1>What reaches you</h1>
        <Bell />
      </div>
      <div className="cards">
        <Preferences preferences={preferences} />
      </div>
    </main>
  );
}
