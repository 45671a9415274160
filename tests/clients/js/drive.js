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

// A service account's own token; the SDK itself only renews and exchanges.
async function connect() {
  const answer = await fetch(`${BASE_URL}/oauth/token`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      grant_type: "client_credentials",
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
    }),
  });
  return sdk.client(sdk.oauth((await answer.json()).access_token), {}, host);
}

const lists = { base: "/standard_cost_code_lists", qs: { company_id: company } };
const codes = { base: "/standard_cost_codes" };
const of = (list, code) => ({
  company_id: company,
  standard_cost_code_list_id: list,
  standard_cost_code: code,
});

async function costCodes() {
  const client = await connect();
  const found = (await client.get(lists)).body;
  const list = found.find((one) => !one.is_erp_list).id;
  const all = { ...codes, qs: { company_id: company, standard_cost_code_list_id: list } };
  const top = await client.post(codes, of(list, { code: "16", name: "Electrical" }));
  const below = await client.post(
    codes,
    of(list, { code: "050", name: "Wiring", parent_id: top.body.id }),
  );
  const synced = await client.patch(
    { ...codes, action: "sync" },
    {
      company_id: company,
      standard_cost_code_list_id: list,
      updates: [
        { id: below.body.id, name: "Cables" },
        { code: "17", name: "Controls" },
        { id: 999999999, name: "Nobody" },
      ],
    },
  );
  return {
    lists: found.map((one) => [one.name, one.is_erp_list]),
    created: [top.response.status, below.response.status],
    full: below.body.full_code,
    entities: synced.body.entities.map((one) => one.name),
    errors: synced.body.errors.map((row) => row.errors),
    codes: (await client.get(all)).body.map((one) => one.full_code).sort(),
  };
}

// The first click: a vendor, and the whole ERP list.
async function send() {
  const client = await connect();
  const name = "Alder Steel";
  const vendor = (await client.post({ base: "/vendors" }, { company_id: company, vendor: { name } }))
    .body.id;
  const list = (await client.get(lists)).body.find((one) => one.is_erp_list).id;
  await client.post(codes, of(list, { code: "16", name: "Electrical" }));
  const actions = "actions/send_to_erp";
  const one = await client.post({ base: `/companies/${company}/vendors/${vendor}/${actions}` }, {});
  const whole = { base: `/companies/${company}/standard_cost_code_lists/${list}/${actions}` };
  const many = await client.post(whole, {});
  return {
    vendor,
    statuses: [one.response.status, many.response.status],
    state: one.body.erp_status,
    done: many.body.done,
  };
}

// The second click, by somebody else: everything that waits, with the first of each choice.
async function accept() {
  const client = await connect();
  const queue = `/companies/${company}/erp_queue`;
  const waiting = { base: queue, qs: { filters: { status: "ready_to_export" } } };
  const told = [];
  for (const { id } of (await client.get(waiting)).body) {
    const item = (await client.get({ base: `${queue}/${id}` })).body;
    const acceptance = {};
    for (const field of item.acceptance_fields) {
      const choices = field.choices || [];
      acceptance[field.name] = field.value || (choices[0] && choices[0].key) || "";
    }
    const done = await client.post(
      { base: `${queue}/${id}/actions/accept` },
      { digest: item.digest, acceptance },
    );
    told.push([item.item_type, done.response.status, done.body.erp_status]);
  }
  return told.sort();
}

async function state() {
  const client = await connect();
  const vendor = Number(process.env.VENDOR);
  const shown = await client.get({ base: `/companies/${company}/vendors/${vendor}/erp_status` });
  return { state: shown.body.erp_status, vendor: (await client.get({ base: `/vendors/${vendor}` })).body };
}

const steps = { story, limited, costCodes, send, accept, state };
steps[STEP]().then(
  (told) => process.stdout.write(JSON.stringify(told)),
  (error) => {
    process.stderr.write(`${JSON.stringify(error.body || String(error))}\n`);
    process.exit(1);
  },
);
