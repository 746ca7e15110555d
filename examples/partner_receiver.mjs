// A partner agency in JavaScript: takes signed webhooks, fetches what it may know, and accepts.
//
//     npm ci --prefix examples && node examples/partner_receiver.mjs --kind counselling
//
// It does what examples/partner_receiver.py does, with the independent Standard Webhooks library of JavaScript.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Webhook } from "standardwebhooks";

const { values: options } = parseArgs({
  options: {
    demo: { type: "string", default: ".data/demo.json" },
    kind: { type: "string", default: "counselling" },
    port: { type: "string", default: "9101" },
    count: { type: "string", default: "Infinity" },
  },
});
const demo = JSON.parse(readFileSync(options.demo, "utf8"));
const me = demo.clients[options.kind];
const seen = new Set();
let token = { good_until: 0 };
let known; // called when we know our secret: a challenge may come before
const webhook = new Promise((resolve) => (known = resolve));

async function call(method, path, body, headers = {}) {
  if (Date.now() > token.good_until) {
    const basic = Buffer.from(`${me.client_id}:${me.client_secret}`).toString("base64");
    const form = new URLSearchParams({ grant_type: "client_credentials" });
    const answer = await fetch(`${demo.base_url}/oauth/token`, {
      method: "POST", body: form, headers: { authorization: `Basic ${basic}` },
    });
    token = await answer.json();
    token.good_until = Date.now() + (token.expires_in - 30) * 1000;
  }
  const all = { authorization: `Bearer ${token.access_token}`, "content-type": "application/json", ...headers };
  return fetch(new URL(path, demo.base_url), { method, headers: all, body: body && JSON.stringify(body) });
}

// Fetch the referral that a webhook announced and accept it; the hub asks its gate again for each fetch.
async function take(event) {
  console.log(`verified: ${event.type} ${event.data.onward_referral_id ?? ""}`);
  if (event.type !== "onward_referral.sent") return;
  const link = event.data.links.self;
  const answer = await call("GET", link);
  const said = await answer.json();
  if (answer.status !== 200) return console.log(`  not ours to see: ${answer.status} ${said.code}`);
  console.log(`  disclosed to us: ${Object.keys(said.disclosure.fields).sort().join(", ")}`);
  const accepted = await call("POST", `${link}/accept`, {}, { "if-match": answer.headers.get("etag") });
  console.log(`  accepted: ${accepted.status}`);
}

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let event;
  try {
    event = (await webhook).verify(Buffer.concat(chunks), request.headers);
  } catch {
    console.log("refused a webhook whose signature is wrong");
    return response.writeHead(401).end();
  }
  if (event.type === "endpoint.verification") {
    return response.writeHead(200).end(JSON.stringify({ challenge: event.data.challenge }));
  }
  response.writeHead(204).end(); // at once: we do our work while the hub does not wait
  const id = request.headers["webhook-id"];
  if (!seen.has(id)) {
    seen.add(id);
    await take(event).catch((error) => console.log(`  failed: ${error.message}`));
    if (seen.size >= Number(options.count)) await stop();
  }
});

let endpoint;
async function stop() {
  await call("DELETE", `/v1/webhook-endpoints/${endpoint.id}`);
  process.exit(0);
}

server.listen(Number(options.port), "127.0.0.1", async () => {
  const url = `http://127.0.0.1:${server.address().port}/hook`;
  const made = await call("POST", "/v1/webhook-endpoints", { url });
  if (made.status !== 201) throw new Error(`not registered: ${made.status} ${await made.text()}`);
  endpoint = await made.json();
  known(new Webhook(endpoint.secret));
  console.log(`${me.organisation} listens at ${url}; Ctrl-C ends`);
  process.on("SIGINT", stop);
});
