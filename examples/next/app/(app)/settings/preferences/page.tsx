import type { Metadata } from "next";
import type { Preference } from "pushmill/next";
import { PageBar } from "@/components/page-bar";
import { Preferences } from "@/components/preferences";
import { prisma } from "@/lib/prisma";
import { requireUser } from "@/lib/users";

export const metadata: Metadata = { title: "What reaches you" };

export default async function Page() {
  const { id } = await requireUser();
  const preferences = (await prisma.notificationPreference.findMany({ where: { userId: id } })) as Preference[];
  return (
    <main className="pane preferences">
      <PageBar title="What reaches you" back="/settings" backTo="the settings" />
      <div className="cards">
        <Preferences preferences={preferences} />
      </div>
    </main>
  );
}
