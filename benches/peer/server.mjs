// The same job done the usual Node way: Fastify for intake, BullMQ on Redis for the queue, grammY for the Bot API.
import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import multipart from '@fastify/multipart';
import { Queue, UnrecoverableError, Worker } from 'bullmq';
import fastify from 'fastify';
import { Api, GrammyError, InputFile } from 'grammy';
import Redis from 'ioredis';

const { BOT_API_URL, BOT_TOKEN, DATA_DIR, REDIS_URL, PORT = '0', CONCURRENCY = '64', SEND = '1' } = process.env;
const WEEK = { age: 604_800 };
const PHOTO_LIMIT = 10 * 1024 * 1024;
const CHAT_ID = /^(-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64})$/;
const SIGNATURES = ['ffd8ff', '89504e470d0a1a0a', '474946383761', '474946383961'].map((hex) => Buffer.from(hex, 'hex'));

const incoming = join(DATA_DIR, 'incoming');
await rm(incoming, { recursive: true, force: true });
await mkdir(incoming, { recursive: true });
const folder = await open(DATA_DIR);
await folder.sync();
const logError = (error) => console.error(error.message);
const refuse = (statusCode, message) => Object.assign(new Error(message), { statusCode });

// Intake fails when Redis is away; the worker waits for it.
const producer = new Redis(REDIS_URL, { maxRetriesPerRequest: 1, enableAutoPipelining: true });
const backoff = { type: 'retry-after-or-exponential' };
const defaultJobOptions = { attempts: 10, backoff, removeOnComplete: WEEK, removeOnFail: WEEK };
const queue = new Queue('notifications', { connection: producer, defaultJobOptions });
queue.on('error', logError);

// Posts of the same image at the same time share one sync.
const storing = new Map();
async function store(file, from, to) {
  if (await access(to).then(() => true, () => false)) return;
  await file.sync();
  await rename(from, to);
  await folder.sync();
}

async function keepPhoto(source) {
  const temporary = join(incoming, randomUUID());
  const file = await open(temporary, 'wx');
  try {
    const hash = createHash('sha256');
    let head = Buffer.alloc(0);
    await file.writeFile((async function* () {
      for await (const chunk of source) {
        if (head.length < 8) head = Buffer.concat([head, chunk.subarray(0, 8)]);
        hash.update(chunk);
        yield chunk;
      }
    })());
    if (source.truncated) throw refuse(413, 'photo is too large');
    const image = SIGNATURES.some((signature) => head.subarray(0, signature.length).equals(signature));
    if (!image) throw refuse(415, 'photo must be a JPEG, PNG or GIF');
    const sha256 = hash.digest('hex');
    const keep = () => store(file, temporary, join(DATA_DIR, sha256)).finally(() => storing.delete(sha256));
    if (!storing.has(sha256)) storing.set(sha256, keep());
    await storing.get(sha256);
    return sha256;
  } finally {
    await Promise.all([file.close(), unlink(temporary).catch(() => {})]);
  }
}

async function readForm(request) {
  const form = {};
  for await (const part of request.parts()) {
    if (part.type !== 'file') form[part.fieldname] = part.value;
    else if (part.fieldname === 'photo') form.sha256 = await keepPhoto(part.file);
    else part.file.resume();
  }
  const { chat_id, caption, sha256 } = form;
  if (!CHAT_ID.test(chat_id)) throw refuse(400, 'chat_id is missing or malformed');
  if (caption?.length > 1024) throw refuse(400, 'caption is too long');
  if (!sha256) throw refuse(400, 'photo is missing');
  return { chat_id, caption, sha256 };
}

const app = fastify({ bodyLimit: PHOTO_LIMIT, ajv: { customOptions: { allowUnionTypes: true } } });
await app.register(multipart, { limits: { fileSize: PHOTO_LIMIT, files: 1, fields: 8 } });

const chat_id = { type: ['integer', 'string'], pattern: CHAT_ID.source };
const text = { type: 'string', minLength: 1, maxLength: 4096 };
const message = { type: 'object', required: ['chat_id', 'text'], properties: { chat_id, text }, additionalProperties: false };
const accepted = { type: 'object', properties: { id: { type: 'string' } } };
const body = { content: { 'application/json': { schema: message } } };
app.post('/v1/notifications', { schema: { body, response: { 202: accepted } } }, async (request, reply) => {
  const data = request.isMultipart() ? await readForm(request) : request.body;
  const { id } = await queue.add('send', data);
  return reply.code(202).send({ id });
});
const params = { type: 'object', properties: { id: { type: 'string', pattern: '^[0-9]{1,15}$' } } };
app.get('/v1/notifications/:id', { schema: { params } }, async (request) => {
  const job = await queue.getJob(request.params.id);
  if (!job) throw refuse(404, 'no such notification');
  return { id: job.id, status: !job.finishedOn ? 'queued' : job.returnvalue ? 'sent' : 'failed' };
});

function startWorker() {
  // grammY's own agent keeps its connections alive.
  const api = new Api(BOT_TOKEN, { apiRoot: BOT_API_URL, timeoutSeconds: 60 });
  const redis = new Redis(REDIS_URL, { maxRetriesPerRequest: null, enableAutoPipelining: true });
  const uploading = new Map();
  async function sendPhoto({ chat_id, caption, sha256 }) {
    const send = (photo) => api.sendPhoto(chat_id, photo, { caption });
    const key = `file_id:${sha256}`;
    let known = await redis.get(key);
    while (!known && uploading.has(sha256)) known = await uploading.get(sha256);
    if (known) return send(known);
    const sent = send(new InputFile(join(DATA_DIR, sha256)));
    uploading.set(sha256, sent.then(({ photo }) => photo.at(-1).file_id, () => null));
    try {
      await redis.set(key, (await sent).photo.at(-1).file_id);
      return await sent;
    } finally {
      uploading.delete(sha256);
    }
  }
  async function deliver({ data }) {
    try {
      const { message_id } = data.sha256 ? await sendPhoto(data) : await api.sendMessage(data.chat_id, data.text);
      return { message_id };
    } catch (error) {
      const lost = error instanceof GrammyError && error.error_code < 500 && error.error_code !== 429;
      throw lost ? new UnrecoverableError(error.message) : error;
    }
  }

  const backoffStrategy = (attempts, _type, error) => 1000 * (error.parameters?.retry_after ?? 2 ** (attempts - 1));
  const settings = { concurrency: Number(CONCURRENCY), maxStalledCount: 10, settings: { backoffStrategy } };
  const worker = new Worker('notifications', deliver, { connection: redis, ...settings });
  worker.on('error', logError);
  worker.on('failed', (job, error) => console.error(`${job?.id}: ${error.message}`));
  return async () => { await worker.close(); await redis.quit(); };
}

await queue.waitUntilReady();
const stopWorker = SEND === '0' ? undefined : startWorker();
await app.listen({ host: '127.0.0.1', port: Number(PORT) });
console.log(`listening on http://127.0.0.1:${app.server.address().port}`);

async function stop() {
  await app.close();
  await stopWorker?.();
  await queue.close();
  await producer.quit();
}
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, stop);
