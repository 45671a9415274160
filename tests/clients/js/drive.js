// Drives erpbridge with Procore's own JavaScript SDK and prints what came of it as JSON.
"use strict";
const sdk = require("@procore/js-sdk");

const { BASE_URL, CLIENT_ID, CLIENT_SECRET, COMPANY_ID, REFRESH_TOKEN, STEP } = process.env;
const company = Number(COMPANY_ID);
const host = { apiHostname: BASE_URL, defaultCompanyId: company };

// What the SDK rejects with, as status and body.
const refusal = (call) =>
  call.then(
    () => ({ status: 0 }),
    (error) => ({
      status: error.response.status,
      errors: error.body.errors,
      retryAfter: error.response.headers.get("Retry-After"),
      reset: error.response.headers.get("X-Rate-Limit-Reset"),
    }),
  );

async function story() {
  const token = await sdk.refresh(
    { id: CLIENT_ID, secret: CLIENT_SECRET, uri: `${BASE_URL}/back`, refresh: REFRESH_TOKEN },
    host,
  );
  const client = sdk.client(sdk.oauth(token.access_token), {}, host);
  const path = { base: "/vendors", version: "v1.0" };
  const names = ["Alder Steel", "Birch Glass", "Cedar Roofing"];
  const created = [];
  for (const name of names) {
    const made = await client.post(path, { company_id: company, vendor: { name } });
    created.push({ status: made.response.status, id: made.body.id });
  }
  const pages = [];
  for (let page = 1; ; page += 1) {
    const found = await client.get({ ...path, qs: { company_id: company, per_page: 2, page } });
    pages.push(found.body.map((one) => one.name));
    if (!(found.response.headers.get("Link") || "").includes('rel="next"')) break;
  }
  const ids = created.slice(0, 2).map((one) => one.id);
  const chosen = await client.get({ ...path, qs: { company_id: company, filters: { id: ids } } });
  const synced = await client.patch(
    { ...path, action: "sync" },
    {
      company_id: company,
      updates: [
        { id: ids[0], name: "Alder Steel Ltd." },
        { name: "Dogwood Paint" },
        { id: 999999999, name: "Nobody" },
      ],
    },
  );
  const one = { ...path, params: { id: ids[0] } };
  const shown = await client.get({ ...one, qs: { company_id: company } });
  const stranger = sdk.client(sdk.oauth("wrong"), {}, host);
  const refused = {
    unauthorized: await refusal(stranger.get({ ...path, qs: { company_id: company } })),
    missing: await refusal(client.get({ ...path, params: { id: 999999999 } })),
    invalid: await refusal(client.post(path, { company_id: company, vendor: { name: "" } })),
  };
  // Ours, in the same idiom: there is no connection, so it says what is missing.
  const clicks = {
    base: "/companies/{company}/vendors/{vendor}/actions/send_to_erp",
    params: { company, vendor: ids[0] },
  };
  refused.click = await refusal(client.post(clicks, {}));
  const info = await sdk.info(token.access_token, host);
  const revoked = await sdk.revoke(
    { token: token.access_token, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET },
    host,
  );
  refused.revoked = await refusal(client.get({ base: "/me" }));
  return {
    expires: token.expires_in,
    created: created.map((made) => made.status),
    pages,
    chosen: chosen.body.map((found) => found.id).sort(),
    ids: ids.sort(),
    entities: synced.body.entities.map((entity) => entity.name),
    errors: synced.body.errors.map((row) => row.errors),
    name: shown.body.name,
    application: info.application && info.application.uid === CLIENT_ID,
    revoked,
    refused,
  };
}

async function limited() {
  const token = await sdk.refresh(
    { id: CLIENT_ID, secret: CLIENT_SECRET, uri: "", refresh: REFRESH_TOKEN },
    host,
  );
  const client = sdk.client(sdk.oauth(token.access_token), {}, host);
  const answers = [];
  for (let call = 0; call < 4; call += 1) {
    answers.push(await refusal(client.get({ base: "/me" })));
  }
  return answers;
}

(STEP === "limited" ? limited() : story()).then(
  (told) => process.stdout.write(JSON.stringify(told)),
  (error) => {
    process.stderr.write(`${JSON.stringify(error.body || String(error))}\n`);
    process.exit(1);
  },
);
