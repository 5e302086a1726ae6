import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { readSession, whenLoggedOut, type Session } from "./api";
import { startPolling, stopPolling } from "./cluster";
import { DaemonPage } from "./pages/daemon";
import { Daemons } from "./pages/daemons";
import { Limits } from "./pages/limits";
import { Live } from "./pages/live";
import { Login } from "./pages/login";
import { MessagePage } from "./pages/message";
import { Overview } from "./pages/overview";
import { Push } from "./pages/push";
import { RoomPage } from "./pages/room";
import { UserPage } from "./pages/user";
import { go, link, useRoute } from "./router";
import { Shell } from "./shell";
import "./style.css";
import { Empty, Loading, Page, Problem } from "./ui";

function Content({ route, session }: { route: string[]; session: Session }) {
  const [page, a, b] = route;
  switch (page) {
    case undefined:
    case "overview":
      return <Overview />;
    case "daemons":
      return a && b ? <DaemonPage key={`${a}/${b}`} kind={a} id={b} session={session} /> : <Daemons />;
    case "user":
      return <UserPage key={a} who={a ?? ""} session={session} />;
    case "room":
      return <RoomPage key={a} room={a ?? ""} session={session} />;
    case "push":
      return <Push key={`${a}/${b}`} kind={a} name={b} session={session} />;
    case "message":
      return <MessagePage key={a} id={a ?? ""} uid={b ?? ""} />;
    case "live":
      return <Live />;
    case "limits":
      return <Limits />;
    default:
      return (
        <Page title="No such page">
          <Empty title={`There is no page “${page}”`}><a href={link("overview")}>To the overview</a></Empty>
        </Page>
      );
  }
}

function App() {
  const [session, setSession] = useState<Session | null>(null);
  const [error, setError] = useState<unknown>(null);
  const route = useRoute();
  const load = () => {
    setError(null);
    readSession().then(setSession, setError);
  };
  useEffect(() => {
    whenLoggedOut(() => load());
    load();
    if (!location.hash) go("overview");
  }, []);
  const may = session?.login && session.scopes.includes("read");
  useEffect(() => {
    if (!may) return undefined;
    startPolling();
    return stopPolling;
  }, [may]);

  if (error) return <main class="alone"><Problem error={error} again={load} /></main>;
  if (!session) return <main class="alone"><Loading what="Console" /></main>;
  if (!session.login) return <Login session={session} done={setSession} />;
  return (
    <Shell session={session} page={route[0] ?? "overview"} loggedOut={load}>
      <Content route={route} session={session} />
    </Shell>
  );
}

render(<App />, document.getElementById("app")!);
