// What the clients for Node share: where everything is, and a runner of named checks.
//
// Each check prints `ok <name>` or `FAIL <name>: <why>`; the exit code is 0 only if none failed.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");

const { BASE_URL, SANDBOX, TOKEN, MEDIA } = process.env;
const PATIENCE_MS = 60_000;

/** The path of a file to send. */
const file = (name) => path.join(MEDIA, name);
/** Its bytes. */
const bytes = (name) => fs.readFileSync(file(name));

async function run(checks) {
  let failures = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await within(check());
      console.log(`ok ${name}`);
    } catch (error) {
      failures += 1;
      const line = /(\w+\.js:\d+)/.exec(String(error.stack).replaceAll("checks.js", ""))?.[1];
      console.log(`FAIL ${name}: ${line}: ${String(error).replaceAll("\n", " ")}`);
    }
  }
  process.exit(failures ? 1 : 0);
}

function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("takes too long")), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Lets a user do something that the bot hears of as an update. */
async function userDoes(what) {
  const body = JSON.stringify({ bot: Number(TOKEN.split(":")[0]), ...what });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(`${SANDBOX}/sandbox/incoming`, { method: "POST", headers, body });
  assert.equal(answer.status, 200, await answer.text());
}

/** The call must fail with this class of error and these words. */
async function raises(kind, words, call) {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof kind, `another class: ${error}`);
    assert.ok(error.description.includes(words), `other words: ${error.description}`);
    return error;
  }
  throw new Error(`no ${kind.name}`);
}

module.exports = {
  BASE_URL,
  TOKEN,
  BEHIND_SERVICE: BASE_URL !== SANDBOX,
  STRANGER: "999:a-token-of-nobody-that-is-well-formed",
  CHAT: 4711,
  NOBODY: 9000000400,
  BLOCKER: 9000000403,
  URL: "https://example.org/pictures/photo.jpg",
  assert,
  bytes,
  file,
  raises,
  run,
  userDoes,
};
