// Makes a client of the served OpenAPI document with openapi-client-axios, and sends with it.

const assert = require("node:assert");
const { OpenAPIClientAxios } = require("openapi-client-axios");

const baseURL = process.env.BASE_URL;

async function send(client, body) {
    const { data, status } = await client.create_notification(null, body);
    assert.equal(status, 202);
    for (let tries = 0; tries < 600; tries++) {
        const view = (await client.get_notification(data.id)).data;
        if (view.status === "sent") return;
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.fail(`${data.id} was not sent`);
}

async function main() {
    const api = new OpenAPIClientAxios({ definition: `${baseURL}/openapi.json`, axiosConfigDefaults: { baseURL } });
    const client = await api.init();
    // Every example of the document can be sent as it is.
    const { content } = client.api.document.paths["/v1/notifications"].post.requestBody;
    const examples = Object.entries(content["application/json"].examples);
    assert(examples.length >= 3);
    for (const [, example] of examples) await send(client, example.value);
    console.log("ok examples");
    const refused = await client.create_notification(null, { chat_id: 42 }, { validateStatus: null });
    assert.deepEqual([refused.status, refused.data.code], [400, "missing_field"]);
    console.log("ok problem");
}

main().catch((error) => {
    console.error(error.response?.data ?? error);
    process.exit(1);
});
