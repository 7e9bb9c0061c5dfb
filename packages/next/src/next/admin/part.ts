/** A part of web.py: the path below which it lies there, and what may be sent to it. */
export interface Part {
  root: string;
  /** What the root itself is called there. */
  front: string;
  methods: readonly string[];
  /** Bytes of a request's body. */
  largestBody: number;
  /** Whether people read the answers, and not programs. */
  isPages: boolean;
}

export const DASHBOARD: Part = {
  root: "/admin/queues",
  front: "/admin/queues/",
  methods: ["GET", "HEAD", "POST"],
  largestBody: 64 * 1024,
  isPages: true,
};

export const API: Part = {
  root: "/queue",
  front: "/queue",
  methods: ["GET", "HEAD", "POST", "DELETE"],
  largestBody: 4 * 1024 * 1024,
  isPages: false,
};
