"""python-telegram-bot: every way of its guide "Working with files and media"."""

import asyncio
import io
import sys
import tempfile
from pathlib import Path

import telegram
from telegram import (
    InlineQueryResultCachedDocument,
    InlineQueryResultCachedPhoto,
    InlineQueryResultDocument,
    InlineQueryResultPhoto,
    InputFile,
    InputMediaAnimation,
    InputMediaAudio,
    InputMediaDocument,
    InputMediaPhoto,
    InputMediaVideo,
)
from telegram.request import HTTPXRequest

import checks
from checks import BASE_URL, BEHIND_SERVICE, BLOCKER, CHAT, MEDIA, NOBODY, OTHER_TOKEN, TOKEN, check, equal, media

URL = "https://example.org/pictures/"


def bot_of(token, **settings):
    # Beside the address only the size of the pool is not the default: a hundred calls at once need as many connections.
    request = HTTPXRequest(connection_pool_size=128, pool_timeout=30, read_timeout=30)
    address = {"base_url": f"{BASE_URL}/bot", "base_file_url": f"{BASE_URL}/file/bot"}
    return telegram.Bot(token, request=request, **address, **settings)


bot = bot_of(TOKEN)
other = bot_of(OTHER_TOKEN)

# kind: (file, what a URL of it ends with, how the message is read)
KINDS = {
    "document": ("report.pdf", "report.pdf", lambda message: message.document),
    "photo": ("photo.jpg", "photo.jpg", lambda message: message.photo[-1]),
    "video": ("film.mp4", "film.mp4", lambda message: message.video),
    "audio": ("music.mp3", "music.mp3", lambda message: message.audio),
    "animation": ("moving.gif", "moving.gif", lambda message: message.animation),
    "voice": ("speech.ogg", "speech.ogg", lambda message: message.voice),
}


def picture(name="photo.jpg"):
    """The bytes of a picture. The library names them application.octet-stream, which Telegram takes for no photo."""
    return media(name) if BEHIND_SERVICE else InputFile(media(name), filename=name)


def picture_item(name="photo.jpg", **more):
    """The same inside an album or an edit."""
    return InputMediaPhoto(media(name), filename=None if BEHIND_SERVICE else name, **more)


def content(kind):
    """The bytes of a file of a kind."""
    return picture() if kind == "photo" else media(KINDS[kind][0])


async def send(kind, what, **more):
    method = getattr(bot, f"send_{kind}")
    message = await method(CHAT, what, caption=f"a {kind}", **more)
    equal(message.chat.id, CHAT)
    equal(message.caption, f"a {kind}")
    return KINDS[kind][2](message)


def ways_of(kind):
    name, ending, _ = KINDS[kind]

    async def by_bytes():
        sent = await send(kind, content(kind))
        assert sent.file_id and sent.file_unique_id

    async def by_path():
        await send(kind, MEDIA / name)

    async def by_open_file():
        with open(MEDIA / name, "rb") as file:
            await send(kind, file)

    async def by_input_file_with_a_name():
        await send(kind, InputFile(media(name), filename=name))

    async def by_url():
        await send(kind, URL + ending)

    async def by_file_id():
        first = await send(kind, content(kind))
        again = await send(kind, first.file_id)
        equal(again.file_unique_id, first.file_unique_id)

    async def by_object():
        first = await send(kind, content(kind))
        again = await send(kind, first)
        equal(again.file_unique_id, first.file_unique_id)

    for way in [by_bytes, by_path, by_open_file, by_input_file_with_a_name, by_url, by_file_id, by_object]:
        check(way, f"{kind}_{way.__name__}")


for kind in KINDS:
    ways_of(kind)


@check
async def the_last_size_of_a_photo_is_the_largest():
    message = await bot.send_photo(CHAT, picture())
    assert len(message.photo) > 1, "one size only"
    equal(max(message.photo, key=lambda size: size.width * size.height), message.photo[-1])
    equal(sorted(size.file_size for size in message.photo), [size.file_size for size in message.photo])


@check
async def thumbnails_are_uploads_only():
    thumbnail = media("thumbnail.jpg")
    sent = await send("document", media("report.pdf"), filename="report.pdf", thumbnail=thumbnail)
    equal((sent.thumbnail.width, sent.thumbnail.height), (320, 240))
    for kind in ["video", "audio", "animation"]:
        sent = await send(kind, InputFile(media(KINDS[kind][0]), filename=KINDS[kind][0]), thumbnail=thumbnail)
        assert sent.thumbnail, kind
    sent = await send("document", media("report.pdf"), filename="report.pdf", thumbnail=MEDIA / "thumbnail.jpg")
    assert sent.thumbnail


@check
async def a_document_keeps_its_name():
    sent = await send("document", media("report.pdf"), filename="Bericht über Öl.pdf")
    equal(sent.file_name, "Bericht über Öl.pdf")


@check
async def an_album_mixes_upload_url_and_file_id():
    known = (await bot.send_photo(CHAT, picture())).photo[-1].file_id
    with open(MEDIA / "chart.png", "rb") as file:
        album = [
            picture_item(caption="*first*", parse_mode="MarkdownV2"),
            InputMediaPhoto(URL + "second.jpg"),
            InputMediaPhoto(known, caption="third"),
            InputMediaPhoto(file, has_spoiler=True),
            InputMediaVideo(media("film.mp4"), filename="film.mp4", thumbnail=media("thumbnail.jpg"), duration=3),
        ]
        messages = await bot.send_media_group(CHAT, album)
    equal(len(messages), 5)
    equal(len({message.media_group_id for message in messages}), 1)
    assert messages[0].media_group_id
    equal([bool(message.photo) for message in messages], [True, True, True, True, False])
    equal([message.caption for message in messages], ["first", None, "third", None, None])
    equal(messages[0].caption_entities[0].type, "bold")
    equal(messages[3].has_media_spoiler, True)
    equal(messages[4].video.duration, 3)
    ids = [message.message_id for message in messages]
    equal(ids, sorted(ids))


@check
async def albums_of_documents_and_of_music():
    papers = [InputMediaDocument(media("report.pdf"), filename=f"{n}.pdf") for n in range(2)]
    messages = await bot.send_media_group(CHAT, papers, caption="both")
    equal([message.document.file_name for message in messages], ["0.pdf", "1.pdf"])
    equal(messages[0].caption, "both")
    songs = [InputMediaAudio(media("music.mp3"), title=f"Song {n}", performer="They") for n in range(3)]
    messages = await bot.send_media_group(CHAT, songs)
    equal([message.audio.title for message in messages], ["Song 0", "Song 1", "Song 2"])


@check
async def a_bad_mix_in_an_album_is_refused():
    await raises(
        telegram.error.BadRequest,
        "mixed",
        bot.send_media_group(CHAT, [picture_item(), InputMediaDocument(media("report.pdf"))]),
    )


@check
async def media_are_edited_by_upload_url_and_file_id():
    message = await bot.send_photo(CHAT, picture(), caption="before")
    at = {"chat_id": CHAT, "message_id": message.message_id}
    edited = await bot.edit_message_media(picture_item("chart.png", caption="after"), **at)
    equal((edited.message_id, edited.caption), (message.message_id, "after"))
    assert edited.photo[-1].file_unique_id != message.photo[-1].file_unique_id
    edited = await bot.edit_message_media(InputMediaPhoto(URL + "edited.jpg"), **at)
    assert edited.photo
    edited = await bot.edit_message_media(InputMediaPhoto(message.photo[-1].file_id), **at)
    equal(edited.photo[-1].file_unique_id, message.photo[-1].file_unique_id)
    edited = await bot.edit_message_media(InputMediaDocument(media("report.pdf"), filename="report.pdf"), **at)
    equal(edited.document.file_name, "report.pdf")
    edited = await bot.edit_message_media(InputMediaAnimation(media("moving.gif"), filename="moving.gif"), **at)
    assert edited.animation
    edited = await message.edit_caption("the end")
    equal(edited.caption, "the end")


@check
async def files_are_downloaded_to_memory_and_to_the_drive():
    sent = (await bot.send_document(CHAT, media("report.pdf"), filename="report.pdf")).document
    file = await bot.get_file(sent.file_id)
    equal(file.file_size, len(media("report.pdf")))
    equal(bytes(await file.download_as_bytearray()), media("report.pdf"))
    memory = io.BytesIO()
    await (await sent.get_file()).download_to_memory(memory)
    equal(memory.getvalue(), media("report.pdf"))
    with tempfile.TemporaryDirectory() as folder:
        path = await file.download_to_drive(Path(folder) / "report.pdf")
        equal(path.read_bytes(), media("report.pdf"))


@check
async def the_largest_size_of_a_photo_is_downloaded():
    message = await bot.send_photo(CHAT, picture())
    file = await message.photo[-1].get_file()
    assert len(await file.download_as_bytearray()) > 1000
    equal(file.file_unique_id, message.photo[-1].file_unique_id)


@check
async def the_base_urls_are_the_only_settings():
    equal(bot.base_url, f"{BASE_URL}/bot{TOKEN}")
    equal(bot.base_file_url, f"{BASE_URL}/file/bot{TOKEN}")
    me = await bot.get_me()
    equal((me.id, me.is_bot), (int(TOKEN.split(":")[0]), True))
    sent = await bot.send_document(CHAT, media("report.pdf"))
    path = (await bot.get_file(sent.document.file_id)).file_path
    assert path.startswith(f"{BASE_URL}/file/bot"), "a path of another server"


@check
async def file_ids_of_one_bot_are_refused_for_another():
    for kind in KINDS:
        mine = (await send(kind, content(kind))).file_id
        await raises(telegram.error.BadRequest, "wrong file identifier", getattr(other, f"send_{kind}")(CHAT, mine))


@check
async def a_photo_is_no_document_and_the_other_way_round():
    photo = (await send("photo", picture())).file_id
    await raises(telegram.error.BadRequest, "can't use file of type photo as document", bot.send_document(CHAT, photo))
    paper = (await send("document", media("report.pdf"))).file_id
    await raises(telegram.error.BadRequest, "can't use file of type document as photo", bot.send_photo(CHAT, paper))


@check
async def inline_queries_are_answered_from_cached_files_and_by_url():
    photo = (await send("photo", picture())).file_id
    paper = (await send("document", media("report.pdf"))).file_id
    query = await asked("holiday")
    results = [
        InlineQueryResultCachedPhoto("cached photo", photo, caption="<b>this</b>", parse_mode="HTML"),
        InlineQueryResultCachedDocument("cached document", "Report", paper),
        InlineQueryResultPhoto("photo by URL", URL + "a.jpg", URL + "a-small.jpg"),
        InlineQueryResultDocument("document by URL", URL + "a.pdf", "Report", "application/pdf"),
    ]
    equal(await query.answer(results, cache_time=0, is_personal=True), True)
    answer = str(checks.ask_sandbox(f"inline/{query.id}"))
    for result in results:
        assert result.id in answer, f"{result.id} is not in {answer}"
    await raises(telegram.error.BadRequest, "query is too old", bot.answer_inline_query("424242", results))


@check
async def an_inline_answer_from_another_bots_file_is_refused():
    theirs = (await other.send_photo(CHAT, picture())).photo[-1].file_id
    query = await asked("holiday")
    await raises(telegram.error.BadRequest, "", query.answer([InlineQueryResultCachedPhoto("1", theirs)]))


@check
async def updates_come_by_long_polling():
    offset = await next_offset()
    waiting = asyncio.create_task(bot.get_updates(offset=offset, timeout=20))
    await asyncio.sleep(0.3)
    assert not waiting.done(), "the poll did not wait"
    checks.user_does(text={"user_id": 7, "text": "/start hello"})
    (update,) = await waiting
    equal((update.message.text, update.message.from_user.id), ("/start hello", 7))
    equal(await bot.get_updates(offset=update.update_id + 1, timeout=0), ())


@check
async def other_messages_pass_too():
    text = await bot.send_message(CHAT, "<i>hello</i> 🎉", parse_mode="HTML")
    equal(text.text, "hello 🎉")
    reply = await text.reply_photo(picture(), do_quote=True)
    equal(reply.reply_to_message.message_id, text.message_id)
    copy = await bot.copy_message(CHAT, CHAT, reply.message_id, caption="a copy")
    assert copy.message_id > reply.message_id
    forwarded = await reply.forward(CHAT + 1)
    assert forwarded.forward_origin
    equal(await bot.send_chat_action(CHAT, "upload_photo"), True)
    keyboard = telegram.InlineKeyboardMarkup.from_button(telegram.InlineKeyboardButton("press", callback_data="pressed"))
    asked = await bot.send_photo(CHAT, picture(), reply_markup=keyboard)
    equal(asked.reply_markup.inline_keyboard[0][0].callback_data, "pressed")
    equal(await bot.delete_message(CHAT, asked.message_id), True)


@check
async def errors_are_the_librarys_own():
    await raises(telegram.error.BadRequest, "chat not found", bot.send_photo(NOBODY, picture()))
    await raises(telegram.error.Forbidden, "blocked", bot.send_photo(BLOCKER, picture()))
    if BEHIND_SERVICE:
        equal((await bot.send_photo(-9000000301, picture())).chat.id, -1009000000301)
    else:
        await raises(telegram.error.ChatMigrated, "migrated", bot.send_photo(-9000000301, picture()))
    await raises(telegram.error.BadRequest, "too long", bot.send_photo(CHAT, picture(), caption="x" * 1025))
    stranger = bot_of("999:a-token-of-nobody-that-is-well-formed")
    if BEHIND_SERVICE:
        await raises(telegram.error.InvalidToken, "", stranger.get_me())


@check
async def a_hundred_send_at_once():
    chats = range(100_000, 100_100)
    messages = await asyncio.gather(*(bot.send_photo(chat, picture(), caption=f"to {chat}") for chat in chats))
    equal([message.chat.id for message in messages], list(chats))
    equal([message.caption for message in messages], [f"to {chat}" for chat in chats])
    for chat in chats:
        equal(len(checks.delivered(chat)), 1)


async def a_flood_behind_the_service_is_invisible():
    checks.fault("sendPhoto", 3, flood={"retry_after": 1})
    chats = range(200_000, 200_010)
    messages = await asyncio.gather(*(bot.send_photo(chat, picture()) for chat in chats))
    equal([message.chat.id for message in messages], list(chats))
    for chat in chats:
        equal(len(checks.delivered(chat)), 1)


async def a_restart_of_telegram_is_invisible():
    checks.fault("sendDocument", 1, status={"code": 502, "description": "Bad Gateway"})
    await send("document", media("report.pdf"))


if BEHIND_SERVICE:
    check(a_flood_behind_the_service_is_invisible)
    check(a_restart_of_telegram_is_invisible)


async def next_offset():
    """Past all updates up to now."""
    updates = await bot.get_updates(timeout=0)
    return updates[-1].update_id + 1 if updates else None


async def asked(text):
    """A user asks; the query as the bot hears it."""
    offset = await next_offset()
    checks.user_does(inline_query={"user_id": 7, "query": text})
    (update,) = await bot.get_updates(offset=offset, timeout=10)
    equal(update.inline_query.query, text)
    return update.inline_query


async def raises(kind, words, call):
    try:
        await call
    except kind as error:
        assert words.lower() in str(error).lower(), f"other words: {error}"
    else:
        raise AssertionError(f"no {kind.__name__}")


async def main():
    async with bot, other:
        return await checks.run()


sys.exit(asyncio.run(main()))
