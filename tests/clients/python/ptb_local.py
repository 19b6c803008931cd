"""python-telegram-bot in `local_mode`: paths are handed over, nothing is uploaded."""

import asyncio
import sys

import telegram
from telegram import InputMediaDocument, InputMediaPhoto

import checks
from checks import BASE_URL, CHAT, MEDIA, TOKEN, check, equal, media

bot = telegram.Bot(TOKEN, base_url=f"{BASE_URL}/bot", base_file_url=f"{BASE_URL}/file/bot", local_mode=True)


@check
async def paths_are_handed_over():
    assert (await bot.send_photo(CHAT, MEDIA / "photo.jpg")).photo
    equal((await bot.send_document(CHAT, MEDIA / "report.pdf")).document.file_size, len(media("report.pdf")))
    album = [InputMediaPhoto(MEDIA / "photo.jpg"), InputMediaPhoto(MEDIA / "chart.png")]
    equal(len(await bot.send_media_group(CHAT, album)), 2)
    message = await bot.send_photo(CHAT, MEDIA / "photo.jpg")
    edited = await message.edit_media(InputMediaDocument(MEDIA / "report.pdf"))
    assert edited.document


@check
async def files_stay_where_they_are():
    sent = (await bot.send_document(CHAT, MEDIA / "report.pdf")).document
    file = await bot.get_file(sent.file_id)
    assert file.file_path.startswith("/"), "not a path"
    equal(bytes(await file.download_as_bytearray()), media("report.pdf"))


async def main():
    async with bot:
        return await checks.run()


sys.exit(asyncio.run(main()))
