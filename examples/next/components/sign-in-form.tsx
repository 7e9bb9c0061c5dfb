"use client";

import { useActionState } from "react";
import { signIn } from "@/app/actions";

const NAMES = ["Ada", "Grace", "Linus"];

/** A name of one's own, or one of three at a click. */
export function SignInForm() {
  const [fault, action, busy] = useActionState(signIn, null);
  return (
    <>
      <form action={action} className="sign-in-form">
        <label htmlFor="name">Your name</label>
        <div className="row">
          <input
            id="name"
            name="name"
            required
            maxLength={30}
            autoComplete="username"
            aria-invalid={fault !== null}
            aria-describedby="fault"
          />
          <button type="submit" className="primary" disabled={busy}>
            Sign in
          </button>
        </div>
        <p id="fault" role="alert" className="fault">
          {fault}
        </p>
      </form>
      <form action={action} className="row names" aria-label="Names to choose from">
        {NAMES.map((name) => (
          <button key={name} type="submit" name="name" value={name} disabled={busy}>
            {name}
          </button>
        ))}
      </form>
    </>
  );
}
