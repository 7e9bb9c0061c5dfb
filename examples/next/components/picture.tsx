"use client";

import { useState } from "react";
import type { File } from "@/generated/prisma/client";
import { Blurhash } from "./blurhash";

/** The thumbnail over its BlurHash, which shows until the thumbnail has arrived. A click opens the compressed picture. */
export function Picture({ file }: { file: File }) {
  const [arrived, setArrived] = useState(false);
  return (
    <a
      className="media"
      href={file.compressedUrl ?? undefined}
      style={{ backgroundColor: file.dominantColor ?? undefined, aspectRatio: "4 / 3" }}
      aria-label="Open the picture"
    >
      {file.blurhash && !arrived && <Blurhash hash={file.blurhash} />}
      {/* biome-ignore lint/performance/noImgElement: the worker has made it as small as it needs to be */}
      <img
        src={file.thumbnailUrl ?? undefined}
        alt=""
        ref={(image) => {
          if (image?.complete && image.naturalWidth) setArrived(true);
        }}
        onLoad={() => setArrived(true)}
      />
    </a>
  );
}
