// grammY: its ways of sending files, errors, polling, downloads.
"use strict";

const { Api, Bot, GrammyError, InputFile, InputMediaBuilder } = require("grammy");
const { BASE_URL, BEHIND_SERVICE, BLOCKER, CHAT, NOBODY, STRANGER, TOKEN, URL, assert, bytes, file, raises, run, userDoes } =
  require("./checks.js");

const api = new Api(TOKEN, { apiRoot: BASE_URL });
const picture = (name = "photo.jpg") => new InputFile(bytes(name), name);

run({
  async photo_by_bytes() {
    const message = await api.sendPhoto(CHAT, picture(), { caption: "bytes" });
    assert.equal(message.caption, "bytes");
    assert.equal(message.chat.id, CHAT);
    const widths = message.photo.map((size) => size.width);
    assert.equal(Math.max(...widths), widths.at(-1));
  },

  async photo_by_path() {
    assert.ok((await api.sendPhoto(CHAT, new InputFile(file("photo.jpg")))).photo);
  },

  async photo_by_url() {
    assert.ok((await api.sendPhoto(CHAT, URL)).photo);
  },

  async photo_by_file_id() {
    const first = (await api.sendPhoto(CHAT, picture())).photo.at(-1);
    const again = (await api.sendPhoto(CHAT, first.file_id)).photo.at(-1);
    assert.equal(again.file_unique_id, first.file_unique_id);
  },

  async document_and_animation() {
    const paper = (await api.sendDocument(CHAT, new InputFile(file("report.pdf")))).document;
    assert.equal(paper.file_name, "report.pdf");
    assert.ok((await api.sendAnimation(CHAT, new InputFile(file("moving.gif")))).animation);
  },

  async album() {
    const known = (await api.sendPhoto(CHAT, picture())).photo.at(-1).file_id;
    const messages = await api.sendMediaGroup(CHAT, [
      InputMediaBuilder.photo(picture(), { caption: "first" }),
      InputMediaBuilder.photo(URL),
      InputMediaBuilder.photo(known),
      InputMediaBuilder.video(new InputFile(file("film.mp4"))),
    ]);
    assert.equal(messages.length, 4);
    assert.equal(new Set(messages.map((message) => message.media_group_id)).size, 1);
    assert.equal(messages[0].caption, "first");
    assert.ok(messages[3].video);
  },

  async edit_media() {
    const { message_id } = await api.sendPhoto(CHAT, picture());
    for (const media of [InputMediaBuilder.photo(picture("chart.png")), InputMediaBuilder.photo(URL)]) {
      assert.equal((await api.editMessageMedia(CHAT, message_id, media)).message_id, message_id);
    }
    const edited = await api.editMessageMedia(CHAT, message_id, InputMediaBuilder.video(new InputFile(file("film.mp4"))));
    assert.ok(edited.video);
  },

  async download() {
    const paper = (await api.sendDocument(CHAT, new InputFile(file("report.pdf")))).document;
    const { file_path } = await api.getFile(paper.file_id);
    const answer = await fetch(`${BASE_URL}/file/bot${TOKEN}/${file_path}`);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), bytes("report.pdf"));
  },

  async error() {
    const error = await raises(GrammyError, "chat not found", api.sendPhoto(NOBODY, picture()));
    assert.equal(error.error_code, 400);
    await raises(GrammyError, "bot was blocked by the user", api.sendPhoto(BLOCKER, picture()));
    if (BEHIND_SERVICE) await raises(GrammyError, "Unauthorized", new Api(STRANGER, { apiRoot: BASE_URL }).getMe());
  },

  async long_poll() {
    const bot = new Bot(TOKEN, { client: { apiRoot: BASE_URL } });
    const heard = new Promise((resolve) => bot.on("message:text", (context) => resolve(context)));
    const started = new Promise((resolve) => {
      bot.start({ drop_pending_updates: true, onStart: resolve });
    });
    await started;
    await userDoes({ text: { user_id: 7, text: "hello" } });
    const context = await heard;
    assert.equal(context.message.text, "hello");
    assert.ok((await context.replyWithPhoto(picture())).photo);
    await bot.stop();
  },
});
