import { Logo } from "@/components/logo";

/** On a phone this page is the list of people, and the text is hidden. */
export default function Page() {
  return (
    <main className="pane home">
      <Logo />
      <p>Choose someone to write to.</p>
    </main>
  );
}
