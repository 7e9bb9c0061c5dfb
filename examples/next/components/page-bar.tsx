import Link from "next/link";
import type { ReactNode } from "react";
import { Bell } from "./bell";

type Props = { title: string; back: string; backTo: string; children?: ReactNode };

/** The head of a page: the way back, perhaps a picture, the title, and the bell. */
export function PageBar({ title, back, backTo, children }: Props) {
  return (
    <div className="bar">
      <Link href={back} className="back" aria-label={`Back to ${backTo}`}>
        ‹
      </Link>
      {children}
      <h1>{title}</h1>
      <Bell />
    </div>
  );
}
