"use client";

import { useNotifications } from "pushmill/react";
import { useId, useRef } from "react";
import { BellItem } from "./bell-item";

/** A bell with the number of unread notifications, which opens the list. All bells of a page share one connection. */
export function Bell() {
  const { status, notifications, unread, latest, read, readAll } = useNotifications();
  const id = useId();
  const panel = useRef<HTMLElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const stay = () => heading.current?.focus(); // the button that was pressed goes
  return (
    <div className="bell">
      <button
        type="button"
        popoverTarget={id}
        aria-label={unread ? `Notifications, ${unread} unread` : "Notifications"}
      >
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M6 9a6 6 0 0 1 12 0c0 7 3 8 3 8H3s3-1 3-8M10 21h4" />
        </svg>
        {unread > 0 && <span className="count">{unread > 99 ? "99+" : unread}</span>}
      </button>
      <p role="status" className="hidden">
        {latest && `${latest.title}, ${latest.unread} unread`}
      </p>
      <section id={id} ref={panel} popover="auto" aria-labelledby={`${id}-title`}>
        <div className="row">
          <h2 id={`${id}-title`} ref={heading} tabIndex={-1}>
            Notifications
          </h2>
          {unread > 0 && (
            <button
              type="button"
              onClick={() => {
                stay();
                void readAll();
              }}
            >
              Mark all as read
            </button>
          )}
        </div>
        {status === "error" && <p className="fault">They can't be loaded now.</p>}
        {status === "ready" && notifications.length === 0 && <p className="note">There is nothing yet.</p>}
        <ul>
          {notifications.map((each) => (
            <BellItem
              key={each.id}
              notification={each}
              onRead={() => {
                stay();
                void read(each.id);
              }}
              onOpen={() => {
                panel.current?.hidePopover();
                void read(each.id);
              }}
            />
          ))}
        </ul>
      </section>
    </div>
  );
}
