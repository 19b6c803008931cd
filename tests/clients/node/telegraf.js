// Telegraf: its ways of sending files, errors, polling, downloads.
"use strict";

const { Input, Telegram, Telegraf, TelegramError } = require("telegraf");
const { BASE_URL, BEHIND_SERVICE, BLOCKER, CHAT, NOBODY, STRANGER, TOKEN, URL, assert, bytes, file, raises, run, userDoes } =
  require("./checks.js");

const client = { telegram: { apiRoot: BASE_URL } };
const api = new Telegram(TOKEN, client.telegram);
const picture = (name = "photo.jpg") => Input.fromBuffer(bytes(name), name);

run({
  async photo_by_bytes() {
    const message = await api.sendPhoto(CHAT, picture(), { caption: "bytes" });
    assert.equal(message.caption, "bytes");
    assert.equal(message.chat.id, CHAT);
    const widths = message.photo.map((size) => size.width);
    assert.equal(Math.max(...widths), widths.at(-1));
  },

  async photo_by_path() {
    assert.ok((await api.sendPhoto(CHAT, Input.fromLocalFile(file("photo.jpg")))).photo);
  },

  async photo_by_url() {
    assert.ok((await api.sendPhoto(CHAT, Input.fromURL(URL))).photo);
  },

  async photo_by_file_id() {
    const first = (await api.sendPhoto(CHAT, picture())).photo.at(-1);
    const again = (await api.sendPhoto(CHAT, Input.fromFileId(first.file_id))).photo.at(-1);
    assert.equal(again.file_unique_id, first.file_unique_id);
  },

  async document_and_animation() {
    const paper = (await api.sendDocument(CHAT, Input.fromLocalFile(file("report.pdf")))).document;
    assert.equal(paper.file_name, "report.pdf");
    assert.ok((await api.sendAnimation(CHAT, Input.fromLocalFile(file("moving.gif")))).animation);
  },

  async album() {
    const known = (await api.sendPhoto(CHAT, picture())).photo.at(-1).file_id;
    const messages = await api.sendMediaGroup(CHAT, [
      { type: "photo", media: picture(), caption: "first" },
      { type: "photo", media: URL },
      { type: "photo", media: known },
      { type: "video", media: Input.fromLocalFile(file("film.mp4")) },
    ]);
    assert.equal(messages.length, 4);
    assert.equal(new Set(messages.map((message) => message.media_group_id)).size, 1);
    assert.equal(messages[0].caption, "first");
    assert.ok(messages[3].video);
  },

  async edit_media() {
    const { message_id } = await api.sendPhoto(CHAT, picture());
    for (const media of [picture("chart.png"), URL]) {
      const edited = await api.editMessageMedia(CHAT, message_id, undefined, { type: "photo", media });
      assert.equal(edited.message_id, message_id);
    }
    const film = { type: "video", media: Input.fromLocalFile(file("film.mp4")) };
    assert.ok((await api.editMessageMedia(CHAT, message_id, undefined, film)).video);
  },

  async download() {
    const paper = (await api.sendDocument(CHAT, Input.fromLocalFile(file("report.pdf")))).document;
    const link = await api.getFileLink(paper.file_id);
    assert.ok(link.href.startsWith(`${BASE_URL}/file/`), link.origin);
    assert.deepEqual(Buffer.from(await (await fetch(link)).arrayBuffer()), bytes("report.pdf"));
  },

  async error() {
    const error = await raises(TelegramError, "chat not found", api.sendPhoto(NOBODY, picture()));
    assert.equal(error.code, 400);
    await raises(TelegramError, "bot was blocked by the user", api.sendPhoto(BLOCKER, picture()));
    if (BEHIND_SERVICE) await raises(TelegramError, "Unauthorized", new Telegram(STRANGER, client.telegram).getMe());
  },

  async long_poll() {
    const bot = new Telegraf(TOKEN, client);
    const heard = new Promise((resolve) => bot.hears("hello Telegraf", resolve));
    bot.launch();
    await userDoes({ text: { user_id: 7, text: "hello Telegraf" } });
    const context = await heard;
    assert.ok((await context.replyWithPhoto(picture())).photo);
    bot.stop();
  },
});
