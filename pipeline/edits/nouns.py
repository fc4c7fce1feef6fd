"""Words for what it is done to, and how it is to be, in English and Chinese. Data."""

from __future__ import annotations

from avpipe.edits.concepts import Concept, End, Line
from avpipe.edits.values import Place, Shape, TextSize

C = Concept

_AROUND = r"(?:(?:两边|两侧|左右|上下|四周|空白处?)(?:用|以)?)?"
"""What of the frame the picture does not cover."""
_FILLED = r"(?:来|去)?(?:填满|填充|铺满|补满|补上|填上)?"

NOUNS: tuple[Line, ...] = (
    (
        C.VIDEO,
        None,
        r"(?:the\s+|my\s+)?(?:videos?|clip|footage|picture|movie|film|camera"
        r"|recording\s+of\s+the\s+camera"
        r"|image|visuals?|project|timeline|reel|vid|edit)(?:'s|’s)?",
        r"视频|画面|影片|短片|片子|镜头|录像|图像",
    ),
    (
        C.SOUND,
        None,
        r"(?:audio|sounds?|sound\s*track|soundtrack)(?:\s+(?:track|file))?s?",
        r"声音|音频|音轨|音频轨|声轨|音响",
    ),
    (
        C.OWN_SOUND,
        None,
        r"(?:the\s+)?(?:original|own|camera(?:'s|’s)?|native|on-camera|in-camera"
        r"|scratch|video(?:'s|’s)?)"
        r"\s+(?:own\s+)?(?:sound|audio|volume|mic(?:rophone)?|track)(?:\s+track)?"
        r"|sound\s+of\s+the\s+(?:video|camera|clip)"
        r"|audio\s+(?:of|from|in)\s+the\s+(?:video|camera|clip|footage)"
        r"|ambient\s+sound",
        r"原声|原音|视频原声|视频的声音|视频声音|画面声音|相机声音|摄像机的声音|原视频的声音|视频里的声音|视频的原声|同期声|原来的声音",
    ),
    (
        C.RECORDING,
        None,
        r"recordings?|narrat(?:ion|or)|voice-?\s?overs?|(?:sound\s+)?recorder(?:'s"
        r"|’s)?(?:\s+(?:audio|sound))?|mic(?:rophone)?\s+track"
        r"|(?:second|extra|additional|other|new|another|separate)\s+(?:audio"
        r"|sound)(?:\s+track)?|audio\s+track"
        r"|voice\s+track|commentary",
        r"录音|旁白|配音|解说|音频轨道|另一条音轨|新音轨",
    ),
    (
        C.SPEECH,
        None,
        r"speech|voices?|talking|dialogue?|vocals?|speakers?|person",
        r"人声|说话声|对白|讲话|语音",
    ),
    (
        C.MUSIC,
        None,
        r"(?:background\s+|bg\s+|backing\s+)?(?:music|songs?|tunes?"
        r"|bgm)(?:\s+(?:track|bed))?"
        r"|back(?:ground|ing)\s+(?:track|audio|sound)|soundtrack|music\s+bed|score"
        r"|beat",
        r"背景音乐|背景音|配乐|音乐|歌曲|歌|曲子|伴奏|bgm",
    ),
    (
        C.TITLE,
        None,
        r"(?:(?:sub)?title|text|caption|heading|headline|lettering|label|words?|writing"
        r"|lower\s+third|name\s+tag"
        r"|intro\s+text|message)s?(?:\s+(?:card|overlay|text|line))?",
        r"标题|文字|字幕|题目|片名|文本|字样|字",
    ),
    (
        C.CLIPS,
        None,
        r"(?:both|all(?:\s+of)?\s+(?:the|my|these)|these|the|my|two|three|several"
        r"|multiple)\s+"
        r"(?:two\s+|three\s+|four\s+|video\s+)?(?:clips|videos|shots|scenes|segments"
        r"|files)|clips|shots|scenes|segments|files"
        r"|between\s+(?:the\s+)?(?:clips|shots|scenes|segments)",
        r"这些片段|这些视频|几个视频|两个视频|两段视频|几段视频|多个视频|所有片段|片段之间|片段|这几段|所有视频|视频们|各段",
    ),
    (C.ORDER, None, r"(?:clip\s+)?order|sequence", r"顺序|次序|排列"),
    (
        C.EVERYTHING,
        None,
        r"everything|whole\s+(?:thing|video|movie|clip)|entire\s+(?:thing|video"
        r"|movie|clip)|it\s+all"
        r"|overall|master|the\s+whole",
        r"全部|所有|整体|整个视频|整个|总|一切",
    ),
    (C.VOLUME, None, r"volume|level|loudness\s+level|gain", r"音量|声音大小|声量"),
    (C.SPEED, None, r"(?:playback\s+)?speed|pace|tempo|playback|rate", r"播放速度|速度|倍速|语速"),
    (
        C.ASPECT_NOUN,
        None,
        r"aspect(?:\s+ratio)?|ratio|orientation|canvas|frame(?:\s+(?:shape|ratio))?",
        r"画幅|宽高比|比例|画面比例|长宽比|尺寸|横竖比",
    ),
    (C.RESOLUTION_NOUN, None, r"resolution|quality|definition|pixels", r"分辨率|清晰度|画质|像素"),
    (C.FORMAT, None, r"mp4s?|h\.?264|single|one|format|file|an?\s+mp4", r"mp4|格式|文件"),
)

LOOKS: tuple[Line, ...] = (
    (
        C.PLACE,
        Place.TOP,
        r"(?:(?:at|on|to|along|near)\s+)?(?:the\s+)?(?:very\s+)?(?:top"
        r"|upper\s+(?:part|edge))(?:[\s-]+cent(?:er|re))?",
        r"顶部|上方|上面|顶端|最上面|上边|顶上",
    ),
    (
        C.PLACE,
        Place.BOTTOM,
        r"(?:(?:at|on|to|along|near|in)\s+)?(?:the\s+)?(?:very\s+)?(?:bottom"
        r"|lower\s+(?:third|part|edge))(?:[\s-]+cent(?:er|re))?",
        r"底部|下方|下面|底端|最下面|下边",
    ),
    (
        C.PLACE,
        Place.CENTER,
        r"(?:(?:at|in|on|to)\s+)?(?:the\s+)?(?:middle|cent(?:er"
        r"|re))(?:\s+of\s+the\s+(?:screen|frame|picture))?|cent(?:er|re)ed"
        r"|mid-?screen",
        r"正中间|正中央|正中|中间|中央|居中|中心",
    ),
    (
        C.PLACE,
        Place.LEFT,
        r"(?:(?:at|on|to)\s+)?(?:the\s+)?left(?:[\s-]+(?:side|hand\s+side))?",
        r"左侧|左边|左面",
    ),
    (
        C.PLACE,
        Place.RIGHT,
        r"(?:(?:at|on|to)\s+)?(?:the\s+)?right(?:[\s-]+(?:side|hand\s+side))?",
        r"右侧|右边|右面",
    ),
    (
        C.PLACE,
        Place.TOP_LEFT,
        r"(?:(?:at|in|on|to|into)\s+)?(?:the\s+)?(?:top"
        r"|upper)[\s-]*(?:hand\s+)?left(?:[\s-]+(?:hand\s+)?corner)?",
        r"左上角|左上方|左上",
    ),
    (
        C.PLACE,
        Place.TOP_RIGHT,
        r"(?:(?:at|in|on|to|into)\s+)?(?:the\s+)?(?:top"
        r"|upper)[\s-]*right(?:[\s-]+(?:hand\s+)?corner)?",
        r"右上角|右上方|右上",
    ),
    (
        C.PLACE,
        Place.BOTTOM_LEFT,
        r"(?:(?:at|in|on|to|into)\s+)?(?:the\s+)?(?:bottom"
        r"|lower)[\s-]*left(?:[\s-]+(?:hand\s+)?corner)?",
        r"左下角|左下方|左下",
    ),
    (
        C.PLACE,
        Place.BOTTOM_RIGHT,
        r"(?:(?:at|in|on|to|into)\s+)?(?:the\s+)?(?:bottom"
        r"|lower)[\s-]*right(?:[\s-]+(?:hand\s+)?corner)?",
        r"右下角|右下方|右下",
    ),
    (
        C.TEXT_SIZE,
        TextSize.LARGE,
        r"(?:in\s+)?(?:big(?:ger)?|large(?:r)?|huge)(?:\s+(?:letters|type|font))?",
        r"大字|大号|字大一点|字大|放大|大大的|大(?=的?(?:标题|字幕|文字))",
    ),
    (
        C.TEXT_SIZE,
        TextSize.SMALL,
        r"(?:in\s+)?(?:small(?:er)?|tiny)(?:\s+(?:letters|type|font))?",
        r"小字|小号|字小一点|字小|缩小|小(?=的?(?:标题|字幕|文字))",
    ),
    (C.COLOR, None, r"colou?r|font\s+colou?r|text\s+colou?r", r"颜色|字体颜色"),
    (
        C.SAYS,
        None,
        r"(?:that|which)\s+(?:says?|reads?)|saying|says?|reads|reading|called|titled"
        r"|named|with\s+the\s+(?:text|words?|title)"
        r"|(?:title|text|caption)(?:\s+(?:card|overlay))?\s*:|to\s+(?:say|read)",
        r"(?:标题|文字|字幕|字样|题目|片名)(?:写上|写|打上|内容|显示|为|是)?\s*:|写着|写的是|内容是|内容为|叫做|名为|叫|标题为|标题是|写|说",
    ),
)

COLORS: tuple[tuple[str, str, str], ...] = (
    ("#ffffff", "white", "白色|白字|白"),
    ("#000000", "black", "黑色|黑字"),
    ("#ff0000", "red", "红色|红字|大红"),
    ("#00a000", "green", "绿色|绿字"),
    ("#0000ff", "blue", "蓝色|蓝字"),
    ("#ffff00", "yellow", "黄色|黄字"),
    ("#ff8000", "orange", "橙色|橘色|橘黄色"),
    ("#800080", "purple|violet", "紫色"),
    ("#ff69b4", "pink", "粉色|粉红色"),
    ("#808080", "gr[ae]y", "灰色"),
    ("#00ffff", "cyan|turquoise", "青色"),
    ("#ff00ff", "magenta", "洋红|品红"),
    ("#ffd700", "gold(?:en)?", "金色"),
    ("#8b4513", "brown", "棕色|褐色"),
)

FRAMES: tuple[Line, ...] = (
    (
        C.ASPECT,
        (9, 16),
        r"(?:(?:to|into|in|as)\s+)?9\s?[:x]\s?16|nine\s+by\s+sixteen|vertical(?:ly)?"
        r"|portrait(?:\s+(?:mode|format))?|(?:for\s+)?(?:tik\s?tok|douyin"
        r"|(?:instagram\s+|ig\s+|facebook\s+)?(?:reels?|stor(?:y|ies))"
        r"|(?:youtube\s+)?shorts?|snapchat|kuaishou|xiaohongshu"
        r"|(?:wechat\s+)?channels)"
        r"|upright|(?:for\s+)?(?:a\s+|my\s+)?phone(?:\s+screen)?s?",
        r"9[:：比]16|竖屏|竖版|竖着|竖的|竖向|纵向|抖音|快手|小红书|视频号|短视频平台|手机屏幕|手机竖屏|九比十六",
    ),
    (
        C.ASPECT,
        (16, 9),
        r"(?:(?:to|into|in|as)\s+)?16\s?[:x]\s?9|sixteen\s+by\s+nine"
        r"|horizontal(?:ly)?|landscape(?:\s+(?:mode|format))?|wide-?\s?screen"
        r"|(?:for\s+)?(?:you\s?tube|vimeo|bilibili|tv|television)",
        r"16[:：比]9|横屏|横版|横着|横的|横向|宽屏|油管|b站|B站|哔哩哔哩|西瓜视频|电视|十六比九",
    ),
    (
        C.ASPECT,
        (1, 1),
        r"(?:(?:to|into|in|as)\s+)?1\s?[:x]\s?1"
        r"|(?:instagram\s+)?square(?:\s+(?:format|post))?|one\s+by\s+one"
        r"|(?:instagram|ig)\s+square",
        r"1[:：比]1|方形|正方形|方屏|一比一|方的",
    ),
    (
        C.ASPECT,
        (4, 5),
        r"(?:(?:to|into|in|as)\s+)?4\s?[:x]\s?5|four\s+by\s+five"
        r"|(?:for\s+)?(?:the\s+)?(?:instagram|ig)\s+(?:feed|portrait|posts?)",
        r"4[:：比]5|四比五",
    ),
    (
        C.ASPECT,
        (4, 3),
        r"(?:(?:to|into|in|as)\s+)?4\s?[:x]\s?3|four\s+by\s+three",
        r"4[:：比]3|四比三",
    ),
    (
        C.ASPECT,
        (3, 4),
        r"(?:(?:to|into|in|as)\s+)?3\s?[:x]\s?4|three\s+by\s+four",
        r"3[:：比]4|三比四",
    ),
    (
        C.ASPECT,
        (21, 9),
        r"(?:(?:to|into|in|as)\s+)?21\s?[:x]\s?9|cinema(?:tic)?\s+(?:wide|format"
        r"|aspect)",
        r"21[:：比]9|电影画幅",
    ),
    (
        C.SHAPE,
        Shape.FILL,
        r"(?:by\s+)?(?:crop(?:ped|ping)?|fill(?:ed|ing)?)(?:\s+(?:the\s+)?(?:frame"
        r"|screen))?|full[\s-]?(?:frame|screen)|zoom(?:ed)?(?:\s+in)?\s+to\s+fill",
        r"裁切|裁边|填满|铺满|填充|充满|满屏",
    ),
    (
        C.SHAPE,
        Shape.FIT,
        r"letter-?\s?box(?:ed|ing)?|pillar-?\s?box(?:ed)?|(?:black\s+)?bars"
        r"|with\s+(?:black\s+)?borders|without\s+(?:cropping"
        r"|cutting\s+anything\s+off)|fit(?:ted)?(?:\s+(?:the\s+)?(?:frame|screen))?",
        r"留黑边|加黑边|黑边|不裁切|不裁剪|适应",
    ),
    (
        C.SHAPE,
        Shape.BLUR,
        r"(?:fill(?:ed|ing)?\s+(?:up\s+)?(?:the\s+|both\s+)?(?:sides?|bars?|rest|gaps?|edges?"
        r"|borders?|background|(?:empty\s+)?space)\s+with\s+)?"
        r"(?:a\s+)?blur(?:red|ry|ring)?(?:\s+(?:background|sides|edges|bars|fill"
        r"|borders?|copy))?|with\s+(?:a\s+)?blur",
        rf"{_AROUND}(?:模糊背景|背景模糊|虚化背景|背景虚化|高斯模糊|毛玻璃|模糊){_FILLED}",
    ),
    (C.RESOLUTION, 2160, r"2160\s?p?|4\s?k|uhd|ultra\s+hd", r"超高清|4k"),
    (C.RESOLUTION, 1440, r"1440\s?p?|2\s?k|qhd", r"2k"),
    (C.RESOLUTION, 1080, r"1080\s?[pi]?|full\s*hd|fhd", r"全高清|1080p?"),
    (C.RESOLUTION, 720, r"720\s?p?|hd", r"高清|720p?"),
    (C.RESOLUTION, 480, r"480\s?p?|sd", r"标清|480p?"),
    (C.RESOLUTION, 360, r"360\s?p?", r"360p?"),
)

PLACES_IN_TIME: tuple[Line, ...] = (
    (
        C.EDGE,
        End.START,
        r"(?:(?:at|from|in|to|off|of)\s+)?(?:the\s+)?(?:very\s+)?(?:start|beginning"
        r"|front|head|opening|intro)(?:\s+of\s+(?:the\s+|my\s+)?(?:video|clip"
        r"|movie))?",
        r"最开头|开头|最开始|开始|片头|最前面|前面|头部|最前|开场",
    ),
    (
        C.EDGE,
        End.END,
        r"(?:(?:at|from|off|to|of|in|on|onto)\s+)?(?:the\s+)?(?:very\s+)?(?:end|tail"
        r"|back|ending|outro)(?:\s+of\s+(?:the\s+|my\s+)?(?:video|clip|movie))?",
        r"结尾|末尾|片尾|尾部|最末尾|最后面|最后|后面|结束",
    ),
    (C.EDGE, End.START, r"(?:to\s+(?:be\s+)?)?first", r"第一位|第一个位置|首位"),
    (C.EDGE, End.END, r"(?:to\s+(?:be\s+)?)?last", r"最后一位|末位"),
    (C.BEFORE, None, r"before|ahead\s+of|in\s+front\s+of", r"之前|前边"),
    (C.AFTER, None, r"after|behind|following", r"之后|后边"),
    (
        C.WHILE_SPEECH,
        None,
        r"(?:when(?:ever)?|while|as|where)\s+(?:there(?:'s|\s+is)\s+)?(?:some(?:one"
        r"|body)|people|anyone|anybody|they|he|she|i|we|the\s+(?:speaker|person"
        r"|voice|narrator)s?|speech|talking)"
        r"(?:\s+(?:is|are|'s|am))?(?:\s+(?:speak|talk|narrat)(?:s|ing|es|e)?)?"
        r"|(?:under|below|beneath|during|behind)\s+(?:the\s+)?(?:speech|voices?"
        r"|talking|dialogue?|narration|speakers?)",
        r"(?:有人|人|我|他|她)?(?:说话|讲话|讲解)(?:的时候|时候|时|期间)|人声出现时|有人声时|有人声的时候|有人说话",
    ),
)
