"use client";

import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";

/** A link to a chat; it knows whether that chat is open. */
export function PersonLink({ id, children }: { id: string; children: ReactNode }) {
  const href = `/chat/${id}`;
  return (
    <Link href={href} className="person" aria-current={usePathname() === href ? "page" : undefined}>
      {children}
    </Link>
  );
}
