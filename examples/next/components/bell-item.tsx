import Link from "next/link";
import type { AppNotification } from "pushmill/next";
import { Time } from "./time";

type Props = { notification: AppNotification; onRead: () => void; onOpen: () => void };

/** One notification. `onRead`: its button was pressed; `onOpen`: its link. */
export function BellItem({ notification, onRead, onOpen }: Props) {
  const { title, body, url, readAt, createdAt } = notification;
  return (
    <li data-unread={readAt === null}>
      <div className="who">
        {url ? (
          <Link href={url} onClick={onOpen}>
            {title}
          </Link>
        ) : (
          <strong>{title}</strong>
        )}
        {body && <span className="last">{body}</span>}
        <Time at={new Date(createdAt)} />
      </div>
      {readAt === null && (
        <button type="button" title="Mark as read" aria-label={`Mark as read: ${title}`} onClick={onRead}>
          ✓
        </button>
      )}
    </li>
  );
}
