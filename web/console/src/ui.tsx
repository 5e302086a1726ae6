// Pieces that several pages are made of.
import type { ComponentChildren } from "preact";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { CallError } from "./api";

export function Page({ title, sub, actions, children }: {
  title: ComponentChildren;
  sub?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <main id="content" tabIndex={-1}>
      <header class="page-head">
        <div>
          <h1>{title}</h1>
          {sub && <p class="sub">{sub}</p>}
        </div>
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </main>
  );
}

export function Card({ title, note, children, flush }: {
  title?: ComponentChildren;
  note?: ComponentChildren;
  children: ComponentChildren;
  flush?: boolean;
}) {
  return (
    <section class={flush ? "card flush" : "card"}>
      {title && (
        <header>
          <h2>{title}</h2>
          {note && <span class="note">{note}</span>}
        </header>
      )}
      {children}
    </section>
  );
}

/** TITLE is the whole number, so that the pointer shows and a double click copies what is meant. */
export function Stat({ label, value, whole, hint, tone }: {
  label: string;
  value: string;
  whole?: string;
  hint?: ComponentChildren;
  tone?: "bad" | "warn";
}) {
  return (
    <div class={`stat ${tone ?? ""} ${value.length > 12 ? "long" : ""}`}>
      <div class="stat-label">{label}</div>
      <div class="stat-value" title={whole}>{value}</div>
      {hint && <div class="stat-hint">{hint}</div>}
    </div>
  );
}

export function Badge({ tone, children }: { tone: "ok" | "warn" | "away" | "unknown" | "plain"; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

/** Text with a button that copies it. */
export function Copy({ text, shown, code }: { text: string; shown?: string; code?: boolean }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea"); // without TLS a page has no clipboard
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    setDone(true);
    setTimeout(() => setDone(false), 1200);
  };
  return (
    <span class="copy">
      {code ? <code>{shown ?? text}</code> : <span>{shown ?? text}</span>}
      <button type="button" class="icon" onClick={copy} aria-label={`Copy ${shown ?? text}`}>
        {done ? <IconCheck /> : <IconCopy />}
      </button>
    </span>
  );
}

const IconCopy = () => (
  <svg viewBox="0 0 16 16" aria-hidden="true">
    <rect x="5.5" y="5.5" width="8" height="8" rx="1.5" />
    <path d="M3.5 10.5h-1v-8h8v1" />
  </svg>
);
const IconCheck = () => (
  <svg viewBox="0 0 16 16" aria-hidden="true">
    <path d="M3 8.5l3.2 3.2L13 5" />
  </svg>
);

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <b>{title}</b>
      {children && <p>{children}</p>}
    </div>
  );
}

export const Loading = ({ what }: { what: string }) => (
  <div class="loading" role="status">
    <span class="spinner" aria-hidden="true" /> {what}
  </div>
);

/** Where something comes later: of the same height, so that nothing jumps. */
export const Skeleton = ({ height }: { height: number }) => <div class={`skeleton h${height}`} aria-hidden="true" />;

export function Problem({ error, again }: { error: unknown; again?: () => void }) {
  const call = error instanceof CallError ? error : null;
  return (
    <div class="problem" role="alert">
      <div>
        <b>{call?.status === 403 ? "Not allowed" : call?.status === 0 ? "No answer" : "That did not work"}</b>
        <p>{error instanceof Error ? error.message : String(error)}</p>
        {call && call.fields.length > 1 && (
          <ul>
            {call.fields.map((field) => (
              <li key={field.pointer ?? field.parameter}>
                <code>{field.pointer ?? field.parameter}</code> {field.detail}
              </li>
            ))}
          </ul>
        )}
      </div>
      {again && <button type="button" onClick={again}>Try again</button>}
    </div>
  );
}

/** An answer of logic for what DEPENDS says: undefined while nothing has come. With EVERYMS it is asked for again. */
export function useAnswer<T>(load: () => Promise<T>, depends: unknown[], everyMs = 0) {
  const [state, set] = useState<{ answer?: T; error?: unknown; loading: boolean }>({ loading: true });
  const turn = useRef(0);
  const ask = useCallback(async (quietly: boolean) => {
    const mine = ++turn.current;
    if (!quietly) set((old) => ({ ...old, loading: true }));
    try {
      const answer = await load();
      if (mine === turn.current) set({ answer, loading: false });
    } catch (error) {
      if (mine === turn.current) set((old) => ({ answer: old.answer, error, loading: false }));
    }
  }, depends);
  useEffect(() => {
    set({ loading: true });
    void ask(false);
    const timer = everyMs
      ? setInterval(() => {
          if (!document.hidden) void ask(true);
        }, everyMs)
      : undefined;
    return () => {
      turn.current++;
      clearInterval(timer);
    };
  }, [ask]);
  return { ...state, again: useCallback(() => void ask(false), [ask]) };
}

export interface Question {
  title: string;
  text: ComponentChildren;
  button: string;
  danger?: boolean;
  run: () => Promise<string>; // what is said when it is done
}

/** Asks before something is done, does it, and says how it went. */
export function Confirm({ question, close }: { question: Question; close: (done: boolean) => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [state, set] = useState<{ busy?: boolean; error?: unknown; done?: string }>({});
  useEffect(() => dialog.current!.showModal(), []);
  const run = async () => {
    set({ busy: true });
    try {
      set({ done: await question.run() });
    } catch (error) {
      set({ error });
    }
  };
  return (
    <dialog ref={dialog} onClose={() => close(state.done !== undefined)} aria-labelledby="confirm-title">
      <h2 id="confirm-title">{question.title}</h2>
      {state.done === undefined ? <div>{question.text}</div> : <p role="status">{state.done}</p>}
      {state.error !== undefined && <Problem error={state.error} />}
      <div class="dialog-buttons">
        <button type="button" onClick={() => dialog.current!.close()}>
          {state.done === undefined ? "Cancel" : "Close"}
        </button>
        {state.done === undefined && (
          <button type="button" class={question.danger ? "danger" : "primary"} onClick={run} disabled={state.busy}>
            {state.busy ? "Working…" : question.button}
          </button>
        )}
      </div>
    </dialog>
  );
}

export function Field({ label, hint, children, wide }: {
  label: string;
  hint?: ComponentChildren;
  children: ComponentChildren;
  wide?: boolean;
}) {
  return (
    <label class={wide ? "field wide" : "field"}>
      <span class="field-label">{label}</span>
      {children}
      {hint && <span class="field-hint">{hint}</span>}
    </label>
  );
}
