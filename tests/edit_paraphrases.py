"""Sentences as different people would say them, written after the grammar was and before it was
tried on them: a table of its own, so that it can be seen how the grammar does on what it was not
made for."""

from __future__ import annotations

from edit_words import (
    ANYTHING,
    Sentence,
    between,
    db,
    file,
    first,
    first_share,
    from_on,
    last,
    look,
    until,
)

from avpipe.edits.values import (
    AddAudio,
    AddMusic,
    AddTitle,
    Aspect,
    ChangeTitle,
    ClipRef,
    CrossFade,
    Cut,
    Duck,
    Fade,
    Framing,
    Join,
    Keep,
    Loudness,
    Merge,
    Move,
    Mute,
    Part,
    Place,
    Remove,
    ReplaceAudio,
    Resolution,
    Shape,
    Speed,
    Swap,
    TextSize,
    Undo,
    Volume,
)

YELLOW = look(span=first(4), place=Place.TOP_LEFT, color="#ffff00", size=TextSize.LARGE)

PARAPHRASES: tuple[Sentence, ...] = (
    # cutting
    ("Could you chop off the first three seconds for me?", [Cut(spans=(first(3),))]),
    ("I don't need the last ten seconds, get rid of them", [Cut(spans=(last(10),))]),
    ("lose everything after the one minute mark", [Cut(spans=(from_on(60),))]),
    ("the opening 4 seconds can go", [Cut(spans=(first(4),))]),
    ("Please remove the part between 0:15 and 0:22.", [Cut(spans=(between(15, 22),))]),
    ("start the video at 5 seconds", [Keep(spans=(from_on(5),))]),
    ("end it at 0:45", [Keep(spans=(until(45),))]),
    ("I only want the bit from 12 to 30 seconds", [Keep(spans=(between(12, 30),))]),
    ("just give me the first half", [Keep(spans=(first_share(1, 2),))]),
    ("shorten it to half a minute", [Keep(spans=(first(30),))]),
    ("snip out 20s-25s and 40s-41s", [Cut(spans=(between(20, 25), between(40, 41)))]),
    ("能不能把开头那五秒去掉", [Cut(spans=(first(5),))]),
    ("后面十秒不要了", [Cut(spans=(last(10),))]),
    ("我只想要第10秒到第20秒的内容", [Keep(spans=(between(10, 20),))]),
    ("从1分20秒开始后面的都删了吧", [Cut(spans=(from_on(80),))]),
    ("视频太长了，剪到30秒", [Keep(spans=(first(30),))]),
    ("片尾3秒剪了", [Cut(spans=(last(3),))]),
    # speed
    ("play it twice as fast", [Speed(factor=2)]),
    ("can this go at one and a half times the speed", [Speed(factor="3/2")]),
    ("make it run 20% slower", [Speed(factor="4/5")]),
    ("I'd like the whole thing in slow motion", [Speed(factor="1/2")]),
    ("整个视频放快到1.5倍", [Speed(factor="3/2")]),
    ("播放速度慢一半", [Speed(factor="1/2")]),
    # sound
    ("the music is too loud, bring it down to 20%", [Volume(part=Part.MUSIC, gain=0.2)]),
    (
        "could the background music be a bit quieter",
        [Volume(part=Part.MUSIC, gain=db(-3), relative=True)],
    ),
    ("kill the camera audio", [Mute(part=Part.VIDEO_SOUND)]),
    ("I don't want to hear the original sound", [Mute(part=Part.VIDEO_SOUND)]),
    ("silence it between 5 and 8 seconds", [Mute(part=Part.ALL, span=between(5, 8))]),
    ("boost the narration by 3dB", [Volume(part=Part.AUDIO, gain=db(3), relative=True)]),
    ("cut the music volume in half", [Volume(part=Part.MUSIC, gain=0.5, relative=True)]),
    ("声音太小了，调大一点", [Volume(part=Part.ALL, gain=db(3), relative=True)]),
    ("原声关掉", [Mute(part=Part.VIDEO_SOUND)]),
    ("配乐音量降一半", [Volume(part=Part.MUSIC, gain=0.5, relative=True)]),
    ("人声再大声点", [Volume(part=Part.SPEECH, gain=db(3), relative=True)]),
    # music
    (
        "throw lofi.mp3 underneath at a fifth of the volume",
        [AddMusic(file=file("lofi.mp3"), gain=0.2)],
    ),
    (
        "can we have some music in the background, nice and quiet, use lofi",
        [AddMusic(file=file("lofi.mp3"), gain=ANYTHING)],
    ),
    (
        "lay lofi.mp3 under the whole video as music at 25 percent",
        [AddMusic(file=file("lofi.mp3"), gain=0.25)],
    ),
    ("the music should get quieter whenever I speak", [Duck(on=True)]),
    ("用lofi.mp3做背景音乐，小声一点，三成音量", [AddMusic(file=file("lofi.mp3"), gain=0.3)]),
    (
        "给视频配个音乐lofi.mp3，音量30%，结尾淡出3秒",
        [AddMusic(file=file("lofi.mp3"), gain=0.3, fade_out_s=3)],
    ),
    ("说话的时候音乐小一点", [Duck(on=True)]),
    ("get rid of that song", [Remove(part=Part.MUSIC)]),
    # titles
    (
        'Put the words "Our Wedding" at the top for the first 5 seconds',
        [AddTitle(text="Our Wedding", look=look(span=first(5), place=Place.TOP))],
    ),
    (
        "can you write 'Day 1' in the lower left in yellow",
        [AddTitle(text="Day 1", look=look(place=Place.BOTTOM_LEFT, color="#ffff00"))],
    ),
    (
        'I\'d like a big red title reading "STOP" from second 4 to second 6',
        [
            AddTitle(
                text="STOP", look=look(span=between(4, 6), color="#ff0000", size=TextSize.LARGE)
            )
        ],
    ),
    (
        'show "The End" during the last 2 seconds',
        [AddTitle(text="The End", look=look(span=last(2)))],
    ),
    ("title should be blue instead", [ChangeTitle(look=look(color="#0000ff"))]),
    ("move the text up to the top", [ChangeTitle(look=look(place=Place.TOP))]),
    (
        "开头三秒显示“你好世界”，白色，放中间",
        [AddTitle(text="你好世界", look=look(span=first(3), place=Place.CENTER, color="#ffffff"))],
    ),
    ("在片头打上“第一集”三个字", ANYTHING),
    ("字幕颜色换成红色", [ChangeTitle(look=look(color="#ff0000"))]),
    # the frame
    ("this is going on TikTok, so make it fit", [Aspect(width=9, height=16, shape=ANYTHING)]),
    ("turn it into a square for Instagram", [Aspect(width=1, height=1)]),
    ("I need this in portrait with blurry sides", [Aspect(width=9, height=16, shape=Shape.BLUR)]),
    ("lower the resolution to 720", [Resolution(short_side=720)]),
    ("发抖音用的，改成竖的", [Aspect(width=9, height=16)]),
    ("换成横屏16:9，两边模糊", [Aspect(width=16, height=9, shape=Shape.BLUR)]),
    # merging and files
    ("sync my recorder's audio to the camera", [Merge()]),
    ("put talk.wav in place of the camera's sound", [ReplaceAudio(file=file("talk.wav"))]),
    ("把录音和视频合到一起", [Merge()]),
    ("用talk.wav替换掉原来的声音", [ReplaceAudio(file=file("talk.wav"))]),
    ("stick clip2.mp4 on the end", [Join(files=(file("clip2.mp4"),))]),
    ("the second clip should come first", [Move(clip=ClipRef(number=2), to=1)]),
    ("第一段和第三段调换一下", [Swap(one=ClipRef(number=1), other=ClipRef(number=3))]),
    # several, and the rest
    (
        "trim 2 seconds off the start, mute the camera and put lofi.mp3 as music at 30%",
        [
            Cut(spans=(first(2),)),
            Mute(part=Part.VIDEO_SOUND),
            AddMusic(file=file("lofi.mp3"), gain=0.3),
        ],
    ),
    (
        "make it vertical, 1080p, and fade to black at the end",
        [Aspect(width=9, height=16), Resolution(short_side=1080), Fade(part=Part.ALL, out_s=1)],
    ),
    (
        "剪掉前两秒，加速1.2倍，再加个标题“旅行”",
        [Cut(spans=(first(2),)), Speed(factor="6/5"), AddTitle(text="旅行")],
    ),
    ("oops, undo that", [Undo()]),
    ("刚才那步撤回", [Undo()]),
    ("bring the overall loudness to -16 LUFS", [Loudness(lufs=-16.0)]),
    ("let the picture come up from black over two seconds", [Fade(part=Part.ALL, in_s=2)]),
    ("crossfade between the clips, half a second", [CrossFade(length_s="1/2")]),
)

LATER: tuple[Sentence, ...] = (
    ("get rid of the opening three seconds", [Cut(spans=(first(3),))]),
    ("I only want the bit between 0:20 and 0:45", [Keep(spans=(between(20, 45),))]),
    ("chop off everything after one minute", [Cut(spans=(from_on(60),))]),
    ("lose the final 4 seconds please", [Cut(spans=(last(4),))]),
    ("could you make the whole thing run twice as fast", [Speed(factor="2")]),
    ("play it at half speed", [Speed(factor="1/2")]),
    (
        "the music is too loud, bring it down to a quarter",
        [Volume(part=Part.MUSIC, gain=0.25, relative=False)],
    ),
    ("kill the sound", [Mute(part=Part.ALL)]),
    ("silence the original audio", [Mute(part=Part.VIDEO_SOUND)]),
    ("let the picture fade to black over the last two seconds", [Fade(part=Part.ALL, out_s=2)]),
    ("ease the music in over 3 seconds", [Fade(part=Part.MUSIC, in_s=3)]),
    ("put lofi.mp3 underneath at 20 percent", [AddMusic(file=file("lofi.mp3"), gain=0.2)]),
    (
        'slap a caption reading "Day One" at the bottom from 2s to 6s',
        [AddTitle(text="Day One", look=look(span=between(2, 6), place=Place.BOTTOM))],
    ),
    (
        'stick "Hello there" in big yellow letters in the top left corner'
        " for the first four seconds",
        [AddTitle(text="Hello there", look=YELLOW)],
    ),
    ("I need this for Instagram Reels", [Aspect(width=9, height=16)]),
    ("turn it into a square", [Aspect(width=1, height=1)]),
    ("make it a 720p file", [Resolution(short_side=720)]),
    ("swap the soundtrack for talk.wav", [ReplaceAudio(file=file("talk.wav"))]),
    ("bring the loudness to -16 LUFS", [Loudness(lufs=-16.0)]),
    ("take back the last change", [Undo()]),
    ("把开头的三秒去掉", [Cut(spans=(first(3),))]),
    ("我只要第20秒到第45秒之间的部分", [Keep(spans=(between(20, 45),))]),
    ("一分钟以后的都不要了", [Cut(spans=(from_on(60),))]),
    ("结尾四秒剪掉吧", [Cut(spans=(last(4),))]),
    ("整段加快一倍", [Speed(factor="2")]),
    ("放慢到一半的速度", [Speed(factor="1/2")]),
    ("背景音乐太吵了，调到四分之一", [Volume(part=Part.MUSIC, gain=0.25, relative=False)]),
    ("把声音关掉", [Mute(part=Part.ALL)]),
    ("原声不要了", [Mute(part=Part.VIDEO_SOUND)]),
    ("最后两秒画面渐渐变黑", [Fade(part=Part.ALL, out_s=2)]),
    ("音乐用三秒慢慢进来", [Fade(part=Part.MUSIC, in_s=3)]),
    ("用 lofi.mp3 垫个底，音量两成", [AddMusic(file=file("lofi.mp3"), gain=0.2)]),
    (
        "在第2到第6秒底部打上字幕“第一天”",
        [AddTitle(text="第一天", look=look(span=between(2, 6), place=Place.BOTTOM))],
    ),
    ("前四秒左上角放黄色大字“你好”", [AddTitle(text="你好", look=YELLOW)]),
    ("我要发抖音用的竖版", [Aspect(width=9, height=16)]),
    ("改成正方形画面", [Aspect(width=1, height=1)]),
    ("分辨率降到720p", [Resolution(short_side=720)]),
    ("音轨换成 talk.wav", [ReplaceAudio(file=file("talk.wav"))]),
    ("响度调到 -16 LUFS", [Loudness(lufs=-16.0)]),
    ("刚才那一步不要了，退回去", [Undo()]),
    ("undo the last change", [Undo()]),
    (
        "前四秒加黄色大标题“你好”",
        [AddTitle(text="你好", look=look(span=first(4), color="#ffff00", size=TextSize.LARGE))],
    ),
    ("turn the music down to a third", [Volume(part=Part.MUSIC, gain=1 / 3, relative=False)]),
    ("fade the sound out over 2 seconds", [Fade(part=Part.ALL, out_s=2, seen=False)]),
    ("声音慢慢变小", [Fade(part=Part.ALL, out_s=1, seen=False)]),
    ("fade out the sound of everything", [Fade(part=Part.ALL, out_s=1, seen=False)]),
)
"""Forty written later in the same way, and what they led to."""

THIRD: tuple[Sentence, ...] = (
    ("chop off the first 4 seconds", [Cut(spans=(first(4),))]),
    ("lose the last three seconds", [Cut(spans=(last(3),))]),
    ("get rid of everything between 0:05 and 0:08", [Cut(spans=(between(5, 8),))]),
    ("only use 2s to 12s", [Keep(spans=(between(2, 12),))]),
    ("I just need the part from 00:00:03 to 00:00:09", [Keep(spans=(between(3, 9),))]),
    ("start the video at 0:06", [Keep(spans=(from_on(6),))]),
    ("end it at 15 seconds", [Keep(spans=(until(15),))]),
    ("shorten it to 10 seconds", [Keep(spans=(first(10),))]),
    ("slow it to half speed", [Speed(factor="1/2")]),
    ("speed up the part between 5 and 10 seconds by 4x", [Speed(factor=4, span=between(5, 10))]),
    ("turn the original sound off", [Mute(part=Part.VIDEO_SOUND)]),
    (
        "kill the camera audio and use lofi.mp3 instead",
        [Mute(part=Part.VIDEO_SOUND), AddAudio(file=file("lofi.mp3"))],
    ),
    ("put lofi.mp3 underneath at a quarter volume", [AddMusic(file=file("lofi.mp3"), gain=0.25)]),
    ("have the music fade out over the last 2 seconds", [Fade(part=Part.MUSIC, out_s=2)]),
    ("fade in from black for one second", [Fade(part=Part.ALL, in_s=1)]),
    ("fade out to black over 2 seconds", [Fade(part=Part.ALL, out_s=2)]),
    (
        "put 'Chapter One' in yellow at the bottom for the first 3 seconds",
        [
            AddTitle(
                text="Chapter One", look=look(span=first(3), place=Place.BOTTOM, color="#ffff00")
            )
        ],
    ),
    (
        'a caption saying "Hello" from 4 to 7 seconds please',
        [AddTitle(text="Hello", look=look(span=between(4, 7)))],
    ),
    (
        "write Made in Oslo in the top left corner",
        [AddTitle(text="Made in Oslo", look=look(place=Place.TOP_LEFT))],
    ),
    ("make it square for Instagram", [Aspect(width=1, height=1)]),
    (
        "turn it into a vertical video with blurred bars",
        [Aspect(width=9, height=16, shape=Shape.BLUR)],
    ),
    ("fill the sides with blur", [Framing(shape=Shape.BLUR)]),
    ("crop it to 4:5", [Aspect(width=4, height=5, shape=Shape.FILL)]),
    ("make this ready for YouTube Shorts", [Aspect(width=9, height=16)]),
    ("I want it in 720p", [Resolution(short_side=720)]),
    ("normalise the loudness to -16 LUFS", [Loudness(lufs=-16.0)]),
    ("loudness -14", [Loudness(lufs=-14.0)]),
    ("duck the music when somebody is talking", [Duck()]),
    ("swap the two clips", [Swap(one=ClipRef(number=1), other=ClipRef(number=2))]),
    ("join all the clips together", [Join()]),
    ("move the second clip to the front", [Move(clip=ClipRef(number=2), to=1)]),
    ("delete the title", [Remove(part=Part.TITLE)]),
    (
        "cut the first 2 seconds, add the title 'Day 1' and drop the music to 30%",
        [Cut(spans=(first(2),)), AddTitle(text="Day 1"), Volume(part=Part.MUSIC, gain=0.3)],
    ),
    ("crossfade the clips, one second each", [CrossFade(length_s=1)]),
    ("mute from 3s to 5s", [Mute(part=Part.ALL, span=between(3, 5))]),
    ("raise the voice by 6 dB", [Volume(part=Part.SPEECH, gain=db(6), relative=True)]),
    (
        "turn the music down to 10% between 5s and 8s",
        [Volume(part=Part.MUSIC, gain=0.1, span=between(5, 8))],
    ),
    ("把开头的4秒剪掉", [Cut(spans=(first(4),))]),
    ("结尾3秒不要了", [Cut(spans=(last(3),))]),
    ("只要第5秒到第12秒这一段", [Keep(spans=(between(5, 12),))]),
    ("把1分10秒到1分20秒之间的内容删掉", [Cut(spans=(between(70, 80),))]),
    ("画面放慢一半", [Speed(factor="1/2")]),
    ("快进到两倍速", [Speed(factor=2)]),
    ("最后5秒放慢到一半速度", [Speed(factor="1/2", span=last(5))]),
    ("背景音乐小一点,调到百分之二十", [Volume(part=Part.MUSIC, gain=0.2)]),
    ("音乐轻一点，调到-20分贝", [Volume(part=Part.MUSIC, gain=0.1)]),
    ("用 lofi.mp3 当背景音乐,音量三成", [AddMusic(file=file("lofi.mp3"), gain=0.3)]),
    ("音乐最后两秒渐渐变小", [Fade(part=Part.MUSIC, out_s=2)]),
    ("开头一秒渐亮", [Fade(part=Part.ALL, in_s=1)]),
    (
        "在底部打上“第一章”三个字,黄色,显示前3秒",
        [AddTitle(text="第一章", look=look(span=first(3), place=Place.BOTTOM, color="#ffff00"))],
    ),
    ("标题写上:我的夏天", [AddTitle(text="我的夏天")]),
    ("4秒到7秒之间出现字幕“你好”", [AddTitle(text="你好", look=look(span=between(4, 7)))]),
    ("做成竖屏的,发抖音用", [Aspect(width=9, height=16)]),
    ("两边用模糊背景填满,改成方形", [Aspect(width=1, height=1, shape=Shape.BLUR)]),
    ("裁成四比五", [Aspect(width=4, height=5, shape=Shape.FILL)]),
    ("清晰度改成720p", [Resolution(short_side=720)]),
    ("响度统一到-16", [Loudness(lufs=-16.0)]),
    ("有人讲话时音乐自动压低", [Duck()]),
    ("两段视频对调一下", [Swap(one=ClipRef(number=1), other=ClipRef(number=2))]),
    ("把所有片段拼成一个", [Join()]),
    ("撤回刚才那步", [Undo()]),
    ("字幕去掉", [Remove(part=Part.TITLE)]),
    (
        "前两秒砍掉,再配上标题《第一天》,音乐降到30%",
        [Cut(spans=(first(2),)), AddTitle(text="第一天"), Volume(part=Part.MUSIC, gain=0.3)],
    ),
    ("片段之间加一秒的叠化", [CrossFade(length_s=1)]),
    (
        "音乐降到20%,再剪掉最后一秒",
        [Volume(part=Part.MUSIC, gain=0.2), Cut(spans=(last(1),))],
    ),
    (
        "turn the music down to 20% and keep the first 10 seconds",
        [Volume(part=Part.MUSIC, gain=0.2), Keep(spans=(first(10),))],
    ),
    (
        "speed it up 2x, the last 5 seconds quieter",
        [Speed(factor=2), Volume(part=Part.ALL, gain=db(-6), relative=True, span=last(5))],
    ),
    ("give me 30 to 45 seconds only", [Keep(spans=(between(30, 45),))]),
    (
        "title card: Hello World, centered, white, 2 seconds",
        [AddTitle(text="Hello World", look=look(length_s=2, place=Place.CENTER, color="#ffffff"))],
    ),
    (
        'show "The End" during the last 4 seconds in big letters',
        [AddTitle(text="The End", look=look(span=last(4), size=TextSize.LARGE))],
    ),
    ('rename the title to "Finale"', [ChangeTitle(text="Finale")]),
    ("音量统一到-14 LUFS", [Loudness(lufs=-14.0)]),
    (
        "最后加一个“谢谢观看”，停3秒",
        [AddTitle(text="谢谢观看", look=look(span=last(3), length_s=3))],
    ),
    ("保留前一分钟就行", [Keep(spans=(first(60),))]),
    ("5秒到10秒之间，音乐音量调到20%", [Volume(part=Part.MUSIC, gain=0.2, span=between(5, 10))]),
    ("把原来的声音换成 talk.wav", [ReplaceAudio(file=file("talk.wav"))]),
)
"""Sixty written a third time in the same way, and what they led to."""
