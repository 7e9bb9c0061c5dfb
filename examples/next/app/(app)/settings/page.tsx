import type { Metadata } from "next";
import Link from "next/link";
import { AvatarUpload } from "@/components/avatar-upload";
import { Notifications } from "@/components/notifications";
import { PageBar } from "@/components/page-bar";
import { SignOut } from "@/components/sign-out";
import { TellMe } from "@/components/tell-me";
import { env } from "@/lib/env";
import { requireUser } from "@/lib/users";

export const metadata: Metadata = { title: "Settings" };

export default async function Page() {
  const user = await requireUser();
  return (
    <main className="pane settings">
      <PageBar title="Settings" back="/" backTo="everybody" />
      <div className="cards">
        <section aria-labelledby="picture">
          <h2 id="picture">Your picture</h2>
          <AvatarUpload user={user} />
        </section>
        <section aria-labelledby="notifications">
          <h2 id="notifications">Notifications</h2>
          <Notifications publicKey={env("VAPID_PUBLIC_KEY")} userId={user.id} />
          <TellMe />
          <Link href="/settings/preferences">What reaches you, and quiet hours</Link>
        </section>
        <section aria-labelledby="session">
          <h2 id="session">Session</h2>
          <p>
            Signed in as <strong>{user.name}</strong>.
          </p>
          <SignOut />
        </section>
      </div>
    </main>
  );
}
