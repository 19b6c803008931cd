// Makes a client of the served OpenAPI document with openapi-client-axios, and sends with it.
//
//     node generated.js BASE_URL KEY

import assert from "node:assert";
import { createRequire } from "node:module";

const modules = createRequire(process.env.NODE_MODULES + "/");
const { OpenAPIClientAxios } = modules("openapi-client-axios");

const [baseUrl, key] = process.argv.slice(2);
const axiosConfigDefaults = { baseURL: baseUrl, headers: { Authorization: `Bearer ${key}` } };
const client = await new OpenAPIClientAxios({ definition: `${baseUrl}/openapi.json`, axiosConfigDefaults }).init();

async function send(body) {
    const { data, status } = await client.create_notification(null, body);
    assert.equal(status, 202);
    for (let tries = 0; tries < 600; tries++) {
        const view = (await client.get_notification(data.id)).data;
        if (view.status === "sent") return;
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.fail(`${data.id} was not sent`);
}

// Every example of the document can be sent as it is.
const content = client.api.document.paths["/v1/notifications"].post.requestBody.content["application/json"];
for (const [name, example] of Object.entries(content.examples)) {
    await send(example.value);
    console.log(`ok the example ${name} is sent`);
}
const refused = await client.create_notification(null, { chat_id: 42 }, { validateStatus: null });
assert.deepEqual([refused.status, refused.data.code], [400, "missing_field"]);
console.log("ok a problem is told by its code");
