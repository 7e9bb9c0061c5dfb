"use client";

import { decode } from "blurhash";
import { useEffect, useRef } from "react";

const SIZE = 32; // pixels: a blur needs no more

/** Draws a BlurHash. The stylesheet stretches it. */
export function Blurhash({ hash }: { hash: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const drawing = canvas.current?.getContext("2d");
    if (!drawing) return;
    const image = drawing.createImageData(SIZE, SIZE);
    image.data.set(decode(hash, SIZE, SIZE));
    drawing.putImageData(image, 0, 0);
  }, [hash]);
  return <canvas ref={canvas} width={SIZE} height={SIZE} data-blurhash={hash} />;
}
