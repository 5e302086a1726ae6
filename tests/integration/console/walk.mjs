// Walks through the console in a real Chromium, as a person would: logs in, opens each page in both themes and two
// widths, kicks, pushes, searches, drives it by keys. axe-core looks at each page. What is wrong ends it with 1.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_PATH}/`);
const { chromium } = require("playwright-core");
const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const { URL: origin, KEY, READ_KEY, USER_ONLINE, USER_AWAY, SHOTS } = process.env;
const widths = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const began = Date.now();
const faults = [];
const said = (text) => console.log(`${((Date.now() - began) / 1000).toFixed(1).padStart(5)} s  ${text}`);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: process.env.ROOT_USER ? ["--no-sandbox"] : [],
});

async function open(options = {}) {
  // bypassCSP is for axe alone, which is put into the page; without it the page's own policy holds.
  const context = await browser.newContext({ viewport: widths.wide, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  page.on("pageerror", (error) => faults.push(`the page threw: ${error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !/status of (401|404|400)|ERR_FAILED/.test(text)) faults.push(`the page's console: ${text}`);
  });
  await page.goto(`${origin}/console`);
  return page;
}

async function logIn(page, key) {
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Log in" }).click();
}

const heading = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor();
const to = (page, path) => page.evaluate((hash) => void (location.hash = hash), `#/${path}`);

/** What axe finds, of those that hinder somebody. */
async function look(page, name) {
  await page.evaluate(axeSource);
  const found = await page.evaluate(() =>
    axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
  for (const one of found.violations) {
    if (["serious", "critical"].includes(one.impact))
      faults.push(`${name}: axe: ${one.id} (${one.impact}): ${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
  }
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) faults.push(`${name}: ${over} px wider than the screen`);
}

async function shot(page, name) {
  if (!SHOTS) return;
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

try {
  // --- what the page's own policy lets it do
  const strict = await open();
  await look2(strict);
  await logIn(strict, "not-a-key");
  await strict.getByRole("alert").getByText("wrong key").waitFor();
  await logIn(strict, KEY);
  await heading(strict, "Overview");
  await strict.getByText("All well").waitFor({ timeout: 40000 });
  said("logged in; every daemon answers");
  const stored = await strict.evaluate(() => document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage));
  assert.ok(!stored.includes(KEY) && !stored.includes("imc_console="), `a script can read a secret: ${stored}`);

  // --- keys
  await strict.keyboard.press("g");
  await strict.keyboard.press("d");
  await heading(strict, "Daemons");
  await strict.keyboard.press("?");
  await strict.getByRole("dialog").getByText("Keys").waitFor();
  await strict.keyboard.press("Escape");
  await strict.keyboard.press("/");
  await strict.keyboard.type(USER_ONLINE);
  await strict.getByRole("option").first().waitFor();
  await strict.keyboard.press("Enter");
  await heading(strict, `User ${USER_ONLINE}`);
  await strict.getByRole("button", { name: "Kick", exact: true }).first().waitFor();
  said("keys and search lead to a user");

  // --- push, from the user's page
  await strict.getByRole("button", { name: "Push", exact: true }).click();
  await heading(strict, "Push");
  const curl = await strict.locator("pre.curl").textContent();
  assert.match(curl, new RegExp(`"uids":\\[${USER_ONLINE}\\]`));
  await strict.getByLabel("Body", { exact: true }).fill('{"text":"from the console","n":12345678901234567890}');
  await strict.getByRole("main").getByRole("button", { name: "Push", exact: true }).click();
  await strict.getByRole("heading", { name: "Accepted" }).waitFor();
  await strict.getByRole("progressbar", { name: "taken by the kernel" }).waitFor();
  await strict.waitForFunction(() => document.querySelector("progress[aria-label='taken by the kernel']")?.value >= 1);
  await strict.getByLabel("Body", { exact: true }).fill("{");
  await strict.getByText("The body is no JSON").waitFor();
  await strict.getByRole("link", { name: "its way" }).click();
  await strict.getByText("Kafka has it; the caller was answered").waitFor();
  await strict.getByText("The kernel of the comet's machine has it").first().waitFor();
  const message = strict.url().split("/").at(-1);
  said("pushed, and followed the message");

  // --- kick
  await to(strict, `user/${USER_ONLINE}`);
  await strict.getByRole("button", { name: "Kick", exact: true }).first().click();
  await strict.getByRole("dialog").getByRole("button", { name: "Kick" }).click();
  await strict.getByRole("dialog").getByText(/^[1-9] ended/).waitFor();
  await strict.getByRole("dialog").getByRole("button", { name: "Close" }).click();
  await strict.getByText("Not online", { exact: true }).waitFor();
  await strict.getByRole("row").filter({ hasText: "disconnected" }).filter({ hasText: "kicked" }).first().waitFor();
  await to(strict, "live");
  await strict.getByRole("row").filter({ hasText: USER_ONLINE }).filter({ hasText: "disconnected" }).filter({ hasText: "kicked" }).first().waitFor();
  await strict.getByLabel("Filter by").fill("no-such-thing");
  await strict.getByText("None of these").waitFor();
  await strict.getByLabel("Filter by").fill(USER_ONLINE);
  await strict.getByLabel("Kind of events").selectOption("Rooms");
  await strict.getByText("None of these").waitFor();
  await strict.getByLabel("Kind of events").selectOption("Sessions");
  await strict.getByRole("row").filter({ hasText: USER_ONLINE }).filter({ hasText: "disconnected" }).first().waitFor();
  said("kicked, which the events tell");

  // --- how much is pushed to a room
  await to(strict, "room/lobby-1");
  await strict.getByText("Messages pushed").waitFor();
  await strict.waitForFunction(() => [...document.querySelectorAll(".stat")].some((one) =>
    /^Messages pushed/.test(one.textContent) && /pushed0?\.\d+\/s/.test(one.textContent)), undefined, { timeout: 40000 });
  said("pushes to a room are counted");

  // --- numbers move without a reload, by one request each time
  await to(strict, "overview");
  const asked = [];
  strict.on("request", (request) => asked.push(request.url()));
  await strict.waitForResponse((response) => response.url().includes("/console/state?since="), { timeout: 10000 });
  assert.ok(asked.length <= 2 && asked.every((url) => url.includes("/console/state")), `asked: ${asked}`);
  const size = await strict.evaluate(async () => (await (await fetch("/console/session")).text()).length);
  assert.ok(size > 0);
  said("polling is one request");
  await strict.context().close();

  // --- a key that may only read
  const reader = await open();
  await logIn(reader, READ_KEY);
  await heading(reader, "Overview");
  await to(reader, `user/${USER_AWAY}`);
  await reader.getByText("waits 0").waitFor();
  assert.equal(await reader.getByRole("button", { name: "Block", exact: true }).count(), 0);
  await to(reader, "push");
  await reader.getByText("lacks the scope push").waitFor();
  await reader.getByRole("button", { name: "Log out" }).click();
  await reader.getByLabel("API key").waitFor();
  await reader.context().close();
  said("a reader reads");

  // --- every page, by axe, in both themes and two widths
  const pages = [
    ["overview", "overview", "Overview"],
    ["daemons", "daemons", "Daemons"],
    ["daemon", "daemons/comet/1", /comet/],
    ["user", `user/${USER_AWAY}`, /User/],
    ["user-online", `user/${BigInt(USER_ONLINE) + 1n}`, /User/],
    ["rooms", "room", "Rooms"],
    ["room", "room/lobby-1", /Room/],
    ["push", "push/room/lobby-1", "Push"],
    ["message", "message", "Message"],
    ["message-unknown", "message/1234567890123456789", /Message/],
    ["message-known", `message/${message}`, /Message/],
    ["live", "live", "Live"],
    ["limits", "limits", "Limits"],
    ["no-such", "nowhere", "No such page"],
  ];
  const page = await open({ bypassCSP: true, colorScheme: "light" });
  await look(page, "login");
  await shot(page, "login-light-wide");
  await logIn(page, KEY);
  await heading(page, "Overview");
  for (const [name, path, title] of pages) {
    await to(page, path);
    await heading(page, title);
    if (name === "user-online") await page.getByText("accepts only operations 1000, 1001").waitFor();
    await page.locator(".loading, .skeleton").first().waitFor({ state: "detached" });
    for (const theme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: theme });
      for (const [width, size] of Object.entries(widths)) {
        if (!SHOTS && (theme === "dark") !== (width === "phone")) continue; // the other two are for pictures
        await page.setViewportSize(size);
        await look(page, `${name}, ${theme}, ${width}`);
        await shot(page, `${name}-${theme}-${width}`);
      }
    }
  }
  said(`${pages.length} pages, two themes, two widths`);

  // --- logic does not answer: the page says so and keeps what it has
  await to(page, "overview");
  await heading(page, "Overview");
  await page.route("**/console/state*", (route) => route.abort());
  await page.getByText("logic cannot be reached").waitFor({ timeout: 20000 });
  await page.locator(".chart").first().waitFor();
  await look(page, "cut off");
  assert.equal(await page.getByText("All well").count(), 0, "nobody knows whether all is well");
  await shot(page, "cut-off-dark-phone");
  await page.unroute("**/console/state*");
  await page.getByRole("button", { name: "Now" }).click();
  await page.getByText("logic cannot be reached").waitFor({ state: "detached" });
  said("cut off, and back");
} catch (error) {
  const open = browser.contexts().at(-1)?.pages().at(-1);
  faults.push(`${error.stack ?? error}\nthe page: ${await open?.locator("body").innerText().catch(() => "")}`);
} finally {
  await browser.close();
}

/** The page's own policy: nothing that a message could bring is carried out. */
async function look2(page) {
  const ran = await page.evaluate(() => {
    window.ran = false;
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.head.append(script);
    return window.ran;
  });
  assert.equal(ran, false, "a script within the page was run");
  faults.splice(0, faults.length, ...faults.filter((one) => !/Content Security Policy/.test(one)));
}

if (faults.length) {
  console.error(`${faults.length} faults:\n${faults.join("\n")}`);
  process.exit(1);
}
said("nothing is wrong");
