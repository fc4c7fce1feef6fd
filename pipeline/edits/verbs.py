"""Words for what is done, in English and Chinese. Data.

Each line has a meaning, its value, and a pattern in each language.
"""

from __future__ import annotations

from fractions import Fraction

from avpipe.edits.concepts import Concept, End, Line

C = Concept

WRITTEN = "written"
"""Of a verb after which a text may stand without quotes."""
_LAST_STEP = r"(?:the|my|our|that|your)\s+(?:very\s+)?(?:last|latest)\s+(?:change|edit|step|thing)"
_GENTLY = r"(?:eas(?:e|es|ing)|glid(?:e|es|ing))(?=\s+(?:[\w']+\s+){0,4}?"
"""What rises or falls slowly; after it stands which of the two."""
_LOWERED = (
    r"drop(?=(?:\s+(?!and\b|then\b)[\w']+){0,5}?\s+(?:volume|level|(?:to|by|at)\s+(?:an?\s+|about\s+"
    r"|around\s+|just\s+)?(?:half|third|quarter|[\w.]+\s*(?:%|percent|per\s+cent|dbs?\b|decibels?))))"
)
"""What is dropped to a level is lowered, and not taken out."""
_GENTLY_HAN = r"(?:慢慢|渐渐|逐渐|缓缓|徐徐|一点点)地?"
_STAND = r"(?:hold|freeze|pause)(?:\s+on)?\s+(?:(?:the|its|my)\s+)?(?:very\s+)?"
_FRAME = r"\s+(?:frame|picture|image)(?:\s+of\s+(?:the\s+|my\s+)?(?:video|clip|film|movie))?"
_STAND_HAN = r"(?:定格|冻结|停留|停)"

VERBS: tuple[Line, ...] = (
    (
        C.MERGE,
        None,
        r"merge|combine|mux|marry|fuse|unite|sync(?:hroni[sz]e)?(?:\s+up)?|line\s+up"
        r"|align"
        r"|match\s+up|convert(?=\s+(?:my|the|this|these)\s+(?:audio|video|sound))"
        r"|put(?=[\w\s]{0,40}\btogether\b)",
        r"合并成|合并|合成|合在一起|合到一起|合起来|混流|对齐|同步|音画同步",
    ),
    (
        C.ADD,
        None,
        r"add(?:ing)?|put|insert|place|include|overlay|superimpose|lay|drop\s+in"
        r"|attach|give"
        r"|play|show|display|throw(?:\s+in)?|stick|tack|pop|slap|chuck"
        r"|set\s+up|(?:make|create|generate|write)\s+(?:me\s+)?an?"
        r"|(?:i\s+)?(?:need|want)\s+(?:an?|some)|there\s+should\s+be|have",
        r"添加|插入|增加|加上|加入|加进去|加个|加一个|加段|加首|加|放上|放个|放入|放一段|放|配上|配一段|配个|配"
        r"|显示|出现|来个|来一个|来段|做个|做一个|弄个|叠加|垫|铺",
    ),
    (C.ADD, WRITTEN, r"write", r"打上|写上"),
    (C.USE, None, r"use|take", r"使用|采用|用"),
    (C.LOUDER, -6.0, _LOWERED, ""),
    (
        C.REMOVE,
        None,
        r"remove|delete|erase|get\s+rid\s+of|take\s+(?:out|away|off)|drop|lose|ditch"
        r"|clear|kill|strip(?:\s+out)?|eliminate|discard|throw\s+(?:out|away)|scrap"
        r"|can\s+go|(?:must|has\s+to|have\s+to|should)\s+go"
        r"|(?:i\s+)?(?:don'?t|do\s+not)\s+(?:need|want|like)(?:\s+to\s+(?:hear|see"
        r"|have|keep))?|no\s+longer\s+(?:need|want)",
        r"删除|删掉|删去|删了|去掉|去除|移除|拿掉|不想要|不要了|不要|不需要|不想听到?|不想看到?|清除|取消|删",
    ),
    (
        C.CUT,
        None,
        r"cut(?:ting)?(?:\s+(?:out|off|away))?|chop(?:\s+off|\s+out)?|snip(?:\s+off"
        r"|\s+out)?"
        r"|trim\s+(?:off|out|away)|shave(?:\s+off)?|lop(?:\s+off)?|clip\s+off"
        r"|slice\s+off",
        r"剪掉|剪去|剪了|切掉|切除|切了|砍掉|砍了|裁掉|截掉|减掉",
    ),
    (
        C.TRIM,
        None,
        r"trim|shorten|crop(?=\s+(?:to\s+)?(?:the\s+)?(?:first|last)\b)|edit\s+down",
        r"剪切|剪辑|裁剪|修剪|剪短|缩短|剪",
    ),
    (
        C.KEEP,
        None,
        r"keep|retain|leave|preserve|hold\s+on\s+to|extract"
        r"|(?:just|only)(?=\s+(?:keep|the|use|from)\b)|(?:just|only)\s+(?:want|need"
        r"|keep|use|leave|show|give\s+me|have)"
        r"|(?:give\s+me|show|i\s+want|i\s+need)(?=\s+[\w:.]+(?:\s+[\w:.]+){1,5}\s+only\b)"
        r"|(?:give\s+me|show|i\s+want|i\s+need|use|leave|take)\s+(?:just|only)",
        r"保留|只留下|只留|留下|只要|只想要|只需要|只用|截取|只保留|提取|仅保留|只剩",
    ),
    (
        C.SET,
        None,
        r"make|set|change|turn|switch|convert|adjust|render|bring|get|have\s+it|bump"
        r"|crank|dial"
        r"|go|run|come|should\s+(?:be|come|go|get|stand|have|say|run|appear)"
        r"|needs?\s+to\s+be|ought\s+to\s+be|reformat|resize|scale|rescale|modify"
        r"|update|rename|retitle|recolou?r|colou?r(?=\s+the\b)|tint|format|put\s+it",
        r"统一[到为成]|改成|改为|换为|设为|设成|设置为|设置|设定|变成|变为|变|调到|调整到|调成|调整为|调整|调为|调|改到|改|弄成"
        r"|做成|转成|转换成|转为|转换为|转换|弄|搞",
    ),
    (
        C.MOVE,
        None,
        r"move|shift|relocate|reorder|rearrange|bring",
        r"移动到|移动|移到|移|挪到|挪|排到|调换到",
    ),
    (
        C.REPLACE,
        None,
        r"replace|substitute|exchange|swap\s+out|instead\s+of|in\s+place\s+of|swap",
        r"替换成|替换为|替换掉|替换|换成|换掉|更换|代替|取代|换",
    ),
    (
        C.SWAP,
        None,
        r"swap|switch\s+(?:the\s+)?(?:order|places?)(?:\s+of)?|exchange"
        r"|trade\s+places|flip",
        r"交换|对调|调换|互换",
    ),
    (C.REVERSE, None, r"reverse|invert|backwards?", r"倒序|颠倒|反转|逆序|倒放|反过来"),
    (
        C.HOLD,
        End.START,
        rf"{_STAND}(?:first|opening){_FRAME}",
        rf"{_STAND_HAN}(?:在|住)?第一帧|第一帧(?:画面)?(?:上)?{_STAND_HAN}",
    ),
    (
        C.HOLD,
        End.END,
        rf"{_STAND}(?:last|final|closing){_FRAME}",
        rf"{_STAND_HAN}(?:在|住)?最后一帧|最后一帧(?:画面)?(?:上)?{_STAND_HAN}",
    ),
    (C.SPLIT, None, r"split|divide|break", r"分割|拆分|切开|分成两段|切成两段|断开"),
    (
        C.JOIN,
        None,
        r"join|concatenate|append|stitch|splice|string\s+together|glue|tack\s+on"
        r"|one\s+after\s+(?:the\s+other|another)|back\s+to\s+back|in\s+a\s+row"
        r"|end\s+to\s+end",
        r"拼接|拼起来|拼在一起|连接|接在|接上|接到|串起来|连起来|首尾相接|拼成",
    ),
    (
        C.MUTE,
        None,
        r"mute|silence|silent|turn\s+off|switch\s+off|shut\s+(?:off|up)"
        r"|no\s+(?:sound|audio)"
        r"(?:\s+at\s+all)?|without\s+(?:any\s+)?(?:sound|audio)|soundless",
        r"静音|消音|关掉|关闭|去掉声音|没有声音|无声|去声|消掉",
    ),
    (
        C.UNMUTE,
        None,
        r"unmute|un-mute|turn\s+(?:back\s+)?on(?:\s+again)?|switch\s+on"
        r"|sound\s+back\s+on"
        r"|bring\s+back",
        r"取消静音|恢复声音|打开|恢复|解除静音",
    ),
    (
        C.UNDO,
        None,
        rf"(?:undo|revert|roll\s*back|take\s+back)(?:\s+{_LAST_STEP})?|step\s+back"
        rf"|take\s+(?:that|it|{_LAST_STEP})\s+back"
        rf"|(?:scrap|forget|reverse|drop|lose)\s+{_LAST_STEP}|go\s+back(?:\s+a\s+step"
        r"|\s+one\s+step)?"
        r"|(?:like|as)\s+(?:it\s+was\s+)?before|put\s+it\s+back",
        r"撤销|撤回|撤消|取消上一步|回退|退回上一步|还原|上一步|恢复上一步|退一步|退回去|退回来|退回"
        r"|(?:刚才|刚刚|上)的?(?:那|这)?一?步(?:的?操作|的?修改|的?改动)?(?:不要了?|不算了?|作废)",
    ),
    (
        C.NORMALIZE,
        None,
        r"normali[sz]e|level\s+out|even\s+out|loudness(?:\s+normali[sz]ation)?|lufs"
        r"|r128",
        r"标准化|归一化|响度标准化|响度归一化|响度|均衡音量|音量均衡|统一音量",
    ),
    (
        C.DUCK,
        None,
        r"(?:automatically\s+)?(?:duck(?:s|ing|ed)?|dip(?:s|ping)?)|side-?chain(?:ing)?|auto-?duck",
        r"(?:自动)?(?:闪避|压低)|自动(?:降低|变小|减弱|调低)|侧链",
    ),
    (
        C.EXPORT,
        None,
        r"export(?:ing)?|download|render(?=\s+(?:it|the\s+(?:video|file|result))\b"
        r"|\s*$)"
        r"|send\s+me(?:\s+(?:the|my))?(?:\s+(?:final|finished))?(?:\s+(?:video|file"
        r"|result|mp4))"
        r"|save(?:\s+(?:it|the\s+(?:video|file|result)))?|give\s+me\s+the\s+(?:video"
        r"|file|mp4)",
        r"导出|下载|输出|把视频发给我|发给我|生成视频|保存",
    ),
    (C.CROP, None, r"crop", r"裁切成?|裁[成为]"),
    (C.FADE_BOTH, None, r"fad(?:e|ing)(?=\s+(?:[\w']+\s+){1,4}?in\s+and\s+out\b)", ""),
    (C.FADE_IN, None, r"fad(?:e|ing)(?=\s+(?:[\w']+\s+){1,4}?in\b(?!\s+and\s+out))", ""),
    (
        C.FADE_OUT,
        None,
        r"fad(?:e|ing)(?=\s+(?:[\w']+\s+){1,4}?(?:out"
        r"|away)\b)(?!\s+(?:[\w']+\s+){1,4}?in\b)",
        "",
    ),
    (
        C.FADE_IN,
        None,
        r"fad(?:e|es|ing)[\s-]*in(?:\s+from\s+black)?|fad(?:e|es|ing)\s+(?:up\s+)?from\s+black"
        r"|fade\s+up"
        r"|fade-?in|(?:come|comes|coming|rise|start|open)\s+(?:up\s+"
        r"|in\s+)?from\s+black"
        rf"|{_GENTLY}(?:in|up)\b)",
        rf"淡入|渐入|渐显|渐亮|{_GENTLY_HAN}(?:进来|进入|响起来?|出现|出来|显现|变亮|亮起来?|变大)",
    ),
    (
        C.FADE_OUT,
        None,
        r"fad(?:e|es|ing)(?:[\s-]*(?:out|away|off|down)(?:\s+to\s+black)?|\s+to\s+black)"
        rf"|{_GENTLY}(?:out|away)\b)",
        rf"淡出|渐出|渐隐|渐暗|渐黑|{_GENTLY_HAN}(?:变黑|黑下去|变暗|暗下去|消失|退出|出去|离开|没有|变小|停下)",
    ),
    (
        C.FADE_BOTH,
        None,
        r"fad(?:e|es|ing)[\s-]*in[\s-]*(?:and|&|/|,|\s)\s*(?:fade[\s-]*)?out",
        r"淡入淡出|渐入渐出|淡入和淡出",
    ),
    (
        C.CROSS_FADE,
        None,
        r"cross-?\s?fad(?:e|es|ing)|cross-?\s?dissolve|dissolve",
        r"交叉淡化|叠化|交叉溶解|溶解",
    ),
)

FASTER: tuple[Line, ...] = (
    (
        C.FASTER,
        True,
        r"fast(?:er)?|speed(?:\s+(?:it|this|that|everything|the\s+(?:video|clip"
        r"|whole\s+thing)))?\s+up"
        r"|sped\s+up|speed-?up|quick(?:er|en)|accelerate|hurry\s+up"
        r"|pick\s+up\s+the\s+pace",
        r"加速|加快|快进|更快|变快|快一点|快点|提速|快",
    ),
    (
        C.FASTER,
        False,
        r"slow(?:er)?(?:\s+(?:it|this|that|everything|the\s+(?:video|clip"
        r"|whole\s+thing)))?(?:\s+down)?"
        r"|slow-?down|decelerate|slowed(?:\s+down)?",
        r"减速|放慢|变慢|更慢|慢一点|慢点|降速|慢放|慢",
    ),
    (
        C.PACE,
        Fraction(2),
        r"twice\s+as\s+fast|double\s+(?:the\s+)?(?:playback\s+)?speed"
        r"|(?:at\s+)?double\s+time"
        r"|two\s+times\s+(?:as\s+fast|faster)|twice\s+the\s+speed|double[\s-]speed",
        r"快一倍|加速一倍|加快一倍|速度翻倍|速度加倍|双倍速度|双倍速",
    ),
    (
        C.PACE,
        Fraction(3),
        r"three\s+times\s+as\s+fast|triple\s+(?:the\s+)?speed|thrice\s+as\s+fast",
        r"快两倍|三倍速度",
    ),
    (C.PACE, Fraction(4), r"four\s+times\s+as\s+fast|quadruple\s+(?:the\s+)?speed", r"四倍速度"),
    (
        C.PACE,
        Fraction(1, 2),
        r"half(?:\s+(?:the|of\s+the))?[\s-]+(?:playback\s+)?speed|half\s+as\s+fast"
        r"|twice\s+as\s+slow"
        r"|half\s+its\s+speed|slow[\s-]?mo(?:tion)?",
        r"慢一倍|放慢一倍|放慢一半|减速一半|慢一半|速度减半|一半速度|一半的速度|半速|慢动作|慢镜头",
    ),
    (
        C.PACE,
        Fraction(1),
        r"normal\s+speed|original\s+speed|regular\s+speed|real\s*time",
        r"正常速度|原速|原始速度|恢复原速",
    ),
)

LOUDER: tuple[Line, ...] = (
    (
        C.LOUDER,
        6.0,
        r"louder|increase|raise|boost|higher"
        r"|amplify|pump\s+up|crank\s+up|bring\s+up|up",
        r"大声|更大声|调大|调高|提高|增大|加大|变大|响一点|大一点|大点|高一点|提升|响",
    ),
    (
        C.LOUDER,
        -6.0,
        r"quieter|softer|decrease|reduce"
        r"|lower(?:ed)?|less\s+loud|tone\s+down|dial\s+back|bring\s+down|down|quiet"
        r"|quietly|softly|soft|gently|nice\s+and\s+(?:quiet|soft|low)",
        r"小声|更小声|调小|调低|降低|减小|变小|轻一点|小一点|小点|低一点|轻|减弱|降",
    ),
    (
        C.LOUDER,
        3.0,
        r"(?:a\s+(?:little|bit|touch|tad)(?:\s+bit)?|slightly)\s+(?:louder|higher"
        r"|up)|(?:louder|higher|up|increase)\s+(?:just\s+)?(?:a\s+(?:little|bit"
        r"|touch|tad)(?:\s+bit)?|slightly)",
        r"大声一点|稍微大|稍大|大一些|稍微调大|调大一点|调高一点|大声点",
    ),
    (
        C.LOUDER,
        -3.0,
        r"(?:a\s+(?:little|bit|touch|tad)(?:\s+bit)?|slightly)\s+(?:quieter|softer"
        r"|lower|down)|(?:quieter|softer|lower|down)\s+(?:just\s+)?(?:a\s+(?:little"
        r"|bit|touch|tad)(?:\s+bit)?|slightly)",
        r"小声一点|稍微小|稍小|小一些|稍微调小|调小一点|调低一点|小声点",
    ),
    (
        C.TOO_LOUD,
        -6.0,
        r"too\s+(?:loud|high|noisy)",
        r"太大声了?|太响了?|太吵了?|太大了?|有点大|有点吵",
    ),
    (
        C.TOO_LOUD,
        6.0,
        r"too\s+(?:quiet|soft|low|silent)|(?:can\s*not|can'?t|hardly"
        r"|barely)\s+(?:be\s+)?hear(?:d)?",
        r"太小声了?|太小了?|太轻了?|听不清|听不见|有点小",
    ),
    (
        C.TOO_LONG,
        None,
        r"(?:is\s+|runs\s+)?(?:way\s+|much\s+|a\s+bit\s+)?too\s+long",
        r"太长了?|有点长|过长",
    ),
    (C.LOUDER, 12.0, r"(?:much|a\s+lot|way|far)\s+(?:louder|higher|up)", r"大很多|响很多|大得多"),
    (
        C.LOUDER,
        -12.0,
        r"(?:much|a\s+lot|way|far)\s+(?:quieter|softer|lower|down)",
        r"小很多|轻很多|小得多",
    ),
)
