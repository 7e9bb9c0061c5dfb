import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { Logo } from "@/components/logo";
import { SignInForm } from "@/components/sign-in-form";
import { currentUser } from "@/lib/users";

export const metadata: Metadata = { title: "Sign in" };

export default async function Page() {
  if (await currentUser()) redirect("/");
  return (
    <main className="sign-in">
      <Logo />
      <h1>Mill</h1>
      <p>A small chat on Next.js and Pushmill. Pick a name and write to someone.</p>
      <SignInForm />
      <p className="note">This is a demo without passwords: anyone can sign in with any name.</p>
    </main>
  );
}
