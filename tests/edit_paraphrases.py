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
    AddMusic,
    AddTitle,
    Aspect,
    ChangeTitle,
    ClipRef,
    CrossFade,
    Cut,
    Duck,
    Fade,
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
