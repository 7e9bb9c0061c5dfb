/** A message, and a dot for the push. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 64 64" aria-hidden="true">
      <path d="M17 10h26a13 13 0 0 1 13 13v11a13 13 0 0 1-13 13H29L15 58V46.8A13 13 0 0 1 4 34V23a13 13 0 0 1 13-13z" />
      <circle cx="53" cy="13" r="9" />
    </svg>
  );
}
