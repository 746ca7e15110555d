// Verifies webhooks with the npm library `standardwebhooks`: a JSON list of {secret, headers, body} on standard input,
// a JSON list of true and false on standard output.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(new URL("../../examples/package.json", import.meta.url));
const { Webhook } = require("standardwebhooks");

const accepted = JSON.parse(readFileSync(0, "utf8")).map(({ secret, headers, body }) => {
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64"), headers);
    return true;
  } catch {
    return false;
  }
});
console.log(JSON.stringify(accepted));
