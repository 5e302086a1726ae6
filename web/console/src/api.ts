// What the page asks of logic. The browser holds the cookie; the CSRF token that goes with it is only here.

export interface Session {
  login: boolean;
  needs_key: boolean;
  name: string;
  scopes: string[];
  csrf?: string;
  version?: string;
  why?: string;
}

export interface FieldError {
  pointer?: string;
  parameter?: string;
  detail: string;
}

/** A call failed: STATUS is HTTP's, 0: no answer came. */
export class CallError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly fields: FieldError[] = [],
    readonly answer: unknown = null,
  ) {
    super(message);
  }
}

let csrf = "";
let onLoggedOut: () => void = () => undefined;

export function whenLoggedOut(callback: () => void): void {
  onLoggedOut = callback;
}

const TIMEOUT_MS = 20000;

async function ask(method: string, path: string, body?: string): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(path, {
      method,
      headers,
      body,
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    throw new CallError(0, late ? "logic did not answer within 20 s" : "logic cannot be reached");
  }
}

/** BODY is JSON text: numbers of 64 bits would lose digits on their way through JavaScript's. */
export async function call<T>(method: string, path: string, body?: string): Promise<T> {
  const response = await ask(method, path, body);
  const text = await response.text();
  let answer: any = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    throw new CallError(response.status, `an answer that is no JSON (status ${response.status})`);
  }
  if (response.ok) return answer as T;
  if (response.status === 401 && !path.startsWith("/console/login")) onLoggedOut();
  throw new CallError(response.status, answer?.detail ?? response.statusText, answer?.errors ?? [], answer);
}

export const get = <T>(path: string) => call<T>("GET", path);

/** PATH with a query; values that are empty are left out. */
export function withQuery(path: string, query: Record<string, string | number | undefined>): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`);
  return parts.length ? `${path}?${parts.join("&")}` : path;
}

export async function readSession(): Promise<Session> {
  csrf = "";
  const session = await call<Session>("GET", "/console/session");
  csrf = session.csrf ?? "";
  return session;
}

export async function logIn(key: string): Promise<Session> {
  const session = await call<Session>("POST", "/console/login", JSON.stringify({ key }));
  csrf = session.csrf ?? "";
  return session;
}

export async function logOut(): Promise<void> {
  await call("POST", "/console/logout", "{}");
  csrf = "";
}
