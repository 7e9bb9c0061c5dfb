"use client";

import { useNotifications } from "pushmill/react";

/** What the user was told in the app, live, and how many of it are unread. */
export function Bell() {
  const { notifications, unread, read, readAll } = useNotifications();
  return (
    <details>
      <summary aria-label={`Notifications, ${unread} unread`}>🔔 {unread || ""}</summary>
      {unread > 0 && (
        <button type="button" onClick={() => void readAll()}>
          Mark all as read
        </button>
      )}
      <ul>
        {notifications.map(({ id, title, body, url, readAt }) => (
          <li key={id}>
            {url ? (
              <a href={url} onClick={() => void read(id)}>
                {title}
              </a>
            ) : (
              title
            )}{" "}
            {body} {readAt === null && <strong>New</strong>}
          </li>
        ))}
      </ul>
    </details>
  );
}
