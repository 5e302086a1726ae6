// What stands around every page: the pages' names, search, theme, who is logged in.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { logOut, type Session } from "./api";
import { pollNow, stateOf, useCluster } from "./cluster";
import { clock, isWhole } from "./format";
import { go, link } from "./router";
import { setTheme, useTheme } from "./theme";

export const pages = [
  { id: "overview", title: "Overview", key: "o" },
  { id: "daemons", title: "Daemons", key: "d" },
  { id: "user", title: "User", key: "u" },
  { id: "room", title: "Room", key: "r" },
  { id: "push", title: "Push", key: "p" },
  { id: "message", title: "Message", key: "m" },
  { id: "live", title: "Live", key: "l" },
  { id: "limits", title: "Limits", key: "i" },
] as const;

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

function useKeys(search: { current: HTMLInputElement | null }, help: () => void): void {
  useEffect(() => {
    let went = 0; // when g was pressed
    const pressed = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "k") {
        event.preventDefault();
        search.current?.focus();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.key === "/") {
        event.preventDefault();
        search.current?.focus();
      } else if (event.key === "?") {
        help();
      } else if (event.key === "g") {
        went = Date.now();
      } else if (Date.now() - went < 1500) {
        const page = pages.find((one) => one.key === event.key);
        went = 0;
        if (page) go(page.id);
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

// Preact's types want a datalist with this role.
const combobox = { role: "combobox" } as object;

interface Hit {
  what: string;
  name: string;
  path: string[];
}

function hitsOf(text: string, daemons: { kind: string; id: string }[]): Hit[] {
  const wanted = text.trim();
  if (!wanted) return [];
  const hits: Hit[] = daemons
    .filter((one) => `${one.kind} ${one.id}`.toLowerCase().includes(wanted.toLowerCase()))
    .slice(0, 5)
    .map((one) => ({ what: one.kind, name: one.id, path: ["daemons", one.kind, one.id] }));
  const whole = isWhole(wanted);
  const message = whole && wanted.replace("-", "").length > 15;
  const user = { what: "user", name: wanted, path: ["user", wanted] };
  if (message) hits.unshift({ what: "message", name: wanted, path: ["message", wanted] }, user);
  else if (whole) hits.unshift(user);
  hits.push({ what: "room", name: wanted, path: ["room", wanted] });
  if (whole && !message) hits.push({ what: "message", name: wanted, path: ["message", wanted] });
  if (!whole) hits.push({ what: "device", name: wanted, path: ["user", `key:${wanted}`] });
  return hits;
}

function Search({ input }: { input: { current: HTMLInputElement | null } }) {
  const { answer } = useCluster();
  const [text, setText] = useState("");
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const hits = hitsOf(text, answer?.daemons ?? []);
  const chosen = Math.min(at, hits.length - 1);
  const take = (hit: Hit | undefined) => {
    if (!hit) return;
    go(...hit.path);
    setText("");
    setOpen(false);
    input.current?.blur();
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt(Math.min(chosen + 1, hits.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(chosen - 1, 0));
    else if (event.key === "Enter") take(hits[chosen]);
    else if (event.key === "Escape") input.current?.blur();
    else return;
    event.preventDefault();
  };
  const shown = open && hits.length > 0;
  return (
    <div class="search" role="search">
      <input
        ref={input}
        type="text"
        enterkeyhint="search"
        placeholder="User, room, message, daemon"
        aria-label="Search for a user, room, message or daemon"
        {...combobox}
        aria-expanded={shown}
        aria-controls="hits"
        aria-activedescendant={shown ? `hit-${chosen}` : undefined}
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
          setOpen(true);
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={pressed}
      />
      <kbd aria-hidden="true">/</kbd>
      <ul id="hits" role="listbox" aria-label="Where to" hidden={!shown}>
        {hits.map((hit, i) => (
          <li
            key={hit.path.join("/")}
            id={`hit-${i}`}
            role="option"
            aria-selected={i === chosen}
            onMouseDown={(event) => {
              event.preventDefault();
              take(hit);
            }}
          >
            <span>{hit.what}</span> {hit.name}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Help({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current!.showModal(), []);
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="help-title">
      <h2 id="help-title">Keys</h2>
      <dl class="keys">
        <dt><kbd>/</kbd></dt>
        <dd>search</dd>
        {pages.map((page) => [
          <dt><kbd>g</kbd> <kbd>{page.key}</kbd></dt>,
          <dd>{page.title}</dd>,
        ])}
        <dt><kbd>?</kbd></dt>
        <dd>this</dd>
      </dl>
      <div class="dialog-buttons">
        <button type="button" onClick={() => dialog.current!.close()}>Close</button>
      </div>
    </dialog>
  );
}

const icons = {
  light: "M8 11a3 3 0 100-6 3 3 0 000 6zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9",
  dark: "M13 9.6A5.6 5.6 0 016.4 3 5.6 5.6 0 1013 9.6z",
  auto: "M8 2.5a5.5 5.5 0 100 11zM8 2.5a5.5 5.5 0 110 11",
};

function ThemeButton() {
  const { theme } = useTheme();
  const next = theme === "auto" ? "light" : theme === "light" ? "dark" : "auto";
  return (
    <button type="button" class="icon" onClick={() => setTheme(next)} aria-label={`Colours: ${theme}. Change to ${next}`}
      title={`Colours: ${theme}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true"><path d={icons[theme]} /></svg>
    </button>
  );
}

/** Says when numbers are old, and takes no room otherwise. */
function Banner() {
  const { answer, problem, problem_since } = useCluster();
  if (problem)
    return (
      <div class="banner bad" role="alert">
        <span>{problem}; numbers stand still since {clock(problem_since)}. Trying again.</span>
        <button type="button" onClick={pollNow}>Now</button>
      </div>
    );
  if (answer && !answer.fresh)
    return (
      <div class="banner warn" role="status">
        Redis does not answer: the list of daemons may be old.
      </div>
    );
  return null;
}

export function Shell({ session, page, loggedOut, children }: {
  session: Session;
  page: string;
  loggedOut: () => void;
  children: ComponentChildren;
}) {
  const search = useRef<HTMLInputElement>(null);
  const [help, setHelp] = useState(false);
  const { answer } = useCluster();
  const trouble = answer?.daemons.filter((one) => !["ok", "unknown"].includes(stateOf(one).state)).length ?? 0;
  useKeys(search, () => setHelp(true));
  useEffect(() => {
    const title = pages.find((one) => one.id === page)?.title ?? "Console";
    document.title = `${trouble ? `(${trouble}) ` : ""}${title} · imc`;
    document.querySelector("nav a[aria-current]")?.scrollIntoView({ inline: "nearest", block: "nearest" });
  }, [page, trouble]);
  return (
    <div class="shell">
      <a class="skip" href="#content" onClick={(event) => {
        event.preventDefault();
        document.getElementById("content")?.focus();
      }}>To the content</a>
      <header class="top">
        <a class="brand" href={link("overview")} aria-label="imc console, overview">
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <rect width="16" height="16" rx="4" />
            <path d="M4 10.5c2-5 6-5 8 0" />
            <circle cx="8" cy="11" r="1.6" />
          </svg>
          <b>imc</b>
        </a>
        <Search input={search} />
        <div class="who">
          <span class="who-name" title={`May: ${session.scopes.join(", ")}`}>
            {session.name} <small>{session.scopes.includes("admin") ? "admin" : session.scopes.join(", ")}</small>
          </span>
          <button type="button" class="icon help" onClick={() => setHelp(true)} aria-label="Keys">?</button>
          <ThemeButton />
          {session.needs_key && (
            <button type="button" class="quiet" onClick={() => void logOut().finally(loggedOut)}>Log out</button>
          )}
        </div>
      </header>
      <nav aria-label="Pages">
        {pages.map((one) => (
          <a key={one.id} href={link(one.id)} aria-current={one.id === page ? "page" : undefined}>
            {one.title}
            {one.id === "daemons" && trouble > 0 && <span class="count" title="daemons to look at">{trouble}</span>}
          </a>
        ))}
        {answer && <span class="version" title="Version of this logic">{answer.version}</span>}
      </nav>
      <div class="body">
        <Banner />
        {children}
      </div>
      {help && <Help close={() => setHelp(false)} />}
    </div>
  );
}
