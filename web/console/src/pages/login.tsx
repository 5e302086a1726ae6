import { useState } from "preact/hooks";
import { logIn, type Session } from "../api";
import { Problem } from "../ui";

export function Login({ session, done }: { session: Session; done: (session: Session) => void }) {
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      done(await logIn(key.trim()));
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <main class="alone">
      <form class="card login" onSubmit={submit}>
        <div class="brand">
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <rect width="16" height="16" rx="4" />
            <path d="M4 10.5c2-5 6-5 8 0" />
            <circle cx="8" cy="11" r="1.6" />
          </svg>
          <h1>imc console</h1>
        </div>
        {session.needs_key ? (
          <>
            <label class="field">
              <span class="field-label">API key</span>
              <input
                type="password"
                autocomplete="current-password"
                autofocus
                required
                value={key}
                onInput={(event) => setKey(event.currentTarget.value)}
              />
              <span class="field-hint">
                One of api.keys_file. Its scopes say what you may: <b>read</b> shows everything, <b>push</b> pushes,{" "}
                <b>admin</b> kicks, blocks and drains.
              </span>
            </label>
            {error !== null && <Problem error={error} />}
            <button type="submit" class="primary" disabled={busy || !key.trim()}>
              {busy ? "Looking…" : "Log in"}
            </button>
          </>
        ) : (
          <p class="login-why">
            No API keys are set, so only this machine may look. {session.why}
          </p>
        )}
      </form>
    </main>
  );
}
