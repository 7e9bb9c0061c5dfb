import Link from "next/link";
import type { User } from "@/generated/prisma/client";
import { env } from "@/lib/env";
import { people } from "@/lib/messages";
import { preview } from "@/lib/preview";
import { isAdmin } from "@/lib/users";
import { Avatar } from "./avatar";
import { Bell } from "./bell";
import { PersonLink } from "./person-link";
import { PushNudge } from "./push-nudge";
import { Time } from "./time";

/** Everybody that the user can write to, and the way to the settings. */
export async function People({ user }: { user: User }) {
  const others = await people(user.id);
  return (
    <header className="people">
      <div className="bar">
        <Link href="/settings" className="me">
          <Avatar user={user} />
          <span className="who">
            <strong>{user.name}</strong>
            <span className="last">Settings</span>
          </span>
        </Link>
        <Link href="/orders">Orders</Link>
        {isAdmin(user) && <a href="/admin/queues">Queues</a>}
        <Bell />
      </div>
      <nav aria-label="People">
        {others.length === 0 && <p className="note">Nobody else is here yet. Sign in with another name elsewhere.</p>}
        <ul>
          {others.map(({ last, ...person }) => (
            <li key={person.id}>
              <PersonLink id={person.id}>
                <Avatar user={person} />
                <span className="who">
                  <strong>{person.name}</strong>
                  <span className="last">
                    {last && (last.fromId === user.id ? `You: ${preview(last)}` : preview(last))}
                  </span>
                </span>
                {last && <Time at={last.createdAt} />}
              </PersonLink>
            </li>
          ))}
        </ul>
      </nav>
      <PushNudge publicKey={env("VAPID_PUBLIC_KEY")} userId={user.id} />
    </header>
  );
}
