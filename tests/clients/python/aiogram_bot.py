"""aiogram: its ways of sending files, errors, polling, downloads."""

import asyncio
import sys

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError, TelegramUnauthorizedError
from aiogram.types import BufferedInputFile, FSInputFile, InputMediaPhoto, InputMediaVideo
from aiogram.utils.media_group import MediaGroupBuilder

import checks
from checks import BASE_URL, BEHIND_SERVICE, BLOCKER, CHAT, MEDIA, NOBODY, TOKEN, check, equal, media

URL = "https://example.org/pictures/photo.jpg"


def bot_of(token):
    return Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(BASE_URL)))


bot = bot_of(TOKEN)


def picture(name="photo.jpg", called="photo.jpg"):
    return BufferedInputFile(media(name), called)


@check
async def photo_by_bytes():
    message = await bot.send_photo(CHAT, picture(), caption="bytes")
    equal((message.caption, message.chat.id), ("bytes", CHAT))
    equal(max(message.photo, key=lambda size: size.width), message.photo[-1])
    # What a client calls its file says nothing about the picture.
    if BEHIND_SERVICE:
        assert (await bot.send_photo(CHAT, picture(called="file"))).photo


@check
async def photo_by_path():
    assert (await bot.send_photo(CHAT, FSInputFile(MEDIA / "photo.jpg"))).photo


@check
async def photo_by_url():
    assert (await bot.send_photo(CHAT, URL)).photo


@check
async def photo_by_file_id():
    first = (await bot.send_photo(CHAT, picture())).photo[-1]
    again = (await bot.send_photo(CHAT, first.file_id)).photo[-1]
    equal(again.file_unique_id, first.file_unique_id)


@check
async def document_and_animation():
    paper = (await bot.send_document(CHAT, FSInputFile(MEDIA / "report.pdf"))).document
    equal(paper.file_name, "report.pdf")
    assert (await bot.send_animation(CHAT, FSInputFile(MEDIA / "moving.gif"))).animation


@check
async def album():
    known = (await bot.send_photo(CHAT, picture())).photo[-1].file_id
    group = MediaGroupBuilder(caption="all of it")
    group.add_photo(picture())
    group.add_photo(URL)
    group.add_photo(known)
    group.add_video(FSInputFile(MEDIA / "film.mp4"))
    messages = await bot.send_media_group(CHAT, group.build())
    equal(len(messages), 4)
    equal({message.media_group_id for message in messages}, {messages[0].media_group_id})
    equal(messages[0].caption, "all of it")
    assert messages[3].video


@check
async def edit_media():
    message = await bot.send_photo(CHAT, picture())
    for new in [InputMediaPhoto(media=picture("chart.png")), InputMediaPhoto(media=URL),
                InputMediaVideo(media=FSInputFile(MEDIA / "film.mp4"))]:
        edited = await bot.edit_message_media(new, chat_id=CHAT, message_id=message.message_id)
        equal(edited.message_id, message.message_id)
    assert edited.video


@check
async def download():
    paper = (await bot.send_document(CHAT, FSInputFile(MEDIA / "report.pdf"))).document
    equal((await bot.download(paper)).read(), media("report.pdf"))
    file = await bot.get_file(paper.file_id)
    equal((await bot.download_file(file.file_path)).read(), media("report.pdf"))


@check
async def error():
    await raises(TelegramBadRequest, "chat not found", bot.send_photo(NOBODY, picture()))
    await raises(TelegramForbiddenError, "blocked", bot.send_photo(BLOCKER, picture()))
    if BEHIND_SERVICE:
        stranger = bot_of("999:a-token-of-nobody-that-is-well-formed")
        await raises(TelegramUnauthorizedError, "", stranger.get_me())
        await stranger.session.close()


@check
async def long_poll():
    updates = await bot.get_updates(timeout=0)
    offset = updates[-1].update_id + 1 if updates else None
    waiting = asyncio.create_task(bot.get_updates(offset=offset, timeout=20))
    await asyncio.sleep(0.3)
    assert not waiting.done(), "the poll did not wait"
    checks.user_does(text={"user_id": 7, "text": "hello"})
    (update,) = await waiting
    equal(update.message.text, "hello")


async def raises(kind, words, call):
    try:
        await call
    except kind as error:
        assert words in str(error), f"other words: {error}"
    else:
        raise AssertionError(f"no {kind.__name__}")


async def main():
    try:
        return await checks.run()
    finally:
        await bot.session.close()


sys.exit(asyncio.run(main()))
