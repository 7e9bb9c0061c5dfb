import type { CSSProperties } from "react";

const HUES = 12;

/** The user's picture, else the first letter of the name on a colour of its own. */
export function Avatar({ user }: { user: { name: string; image: string | null } }) {
  // biome-ignore lint/performance/noImgElement: the worker has made it as small as it needs to be
  if (user.image) return <img className="avatar" src={user.image} alt="" width={44} height={44} />;
  const hue = ([...user.name].reduce((sum, letter) => sum + (letter.codePointAt(0) ?? 0), 0) % HUES) * (360 / HUES);
  return (
    <span className="avatar" aria-hidden="true" style={{ "--hue": hue } as CSSProperties}>
      {[...user.name][0]?.toUpperCase()}
    </span>
  );
}
