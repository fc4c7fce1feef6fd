// Every text of the page, in English and Chinese.

const english = {
  skip: "Skip to the content",
  newProject: "New project",
  credits: (count) => `${count} credits`,
  files: "Files",
  drop: "Drop a video and its separately recorded sound here, or",
  pick: "choose files",
  merge: "Put the sound in its place",
  mergeSentence: (audio) => `merge "${audio}"`,
  sync: "Sound and picture",
  cameraSound: "Camera",
  recorderSound: "Recording",
  listen: "Listen",
  stop: "Stop",
  earlierLater: "Earlier or later",
  zoom: "Zoom",
  zoomIn: "Closer",
  zoomOut: "Farther",
  where: "Where to look and listen",
  nudgeLabel: "Place of the recording",
  nudgeHint: "Drag the recording, or use ← and → (with Shift 1 ms). What you hear follows at once.",
  offset: (ms, ppm) => `offset ${ms} ms, drift ${ppm} ppm`,
  reading: "Reading the sound…",
  comparing: "Comparing the sounds…",
  matched: (ms, ppm, sure) => `The sound belongs at ${ms} ms, drift ${ppm} ppm; ${sure} % sure.`,
  uncertain: "Where the sound belongs is not certain. Move it by hand, and listen.",
  unrelated: "The two sounds have nothing in common. Move the recording by hand.",
  timeline: "Timeline",
  video: "Video",
  audio: "Sound",
  text: "Title",
  other: "Other",
  image: "Picture",
  empty: "empty",
  talk: "Say what you want",
  sentence: "What should change?",
  sentenceHint: "add the title “Hello” at the top",
  send: "Send",
  working: "Working…",
  result: "Result",
  export: "Export",
  exporting: "Progress of the export",
  cancel: "Cancel",
  pending: (place) => `waiting, number ${place}`,
  processing: (percent) => `rendering, ${percent} %`,
  failed: (why) => `failed: ${why}`,
  cancelled: "cancelled",
  waits: "waiting for what is being done",
  completed: (seconds, size) => `ready: ${seconds} s, ${size}`,
  hear: "Hear",
  after: "the result",
  before: "the camera before",
  download: "Download",
  footer: "Everything stays on this server.",
  uploading: (percent) => `${percent} %`,
  checking: "looking at it…",
  lost: "The server cannot be reached. Trying again…",
  leaving: "A file is still being sent.",
  signInTitle: "Your token",
  signInWhy: "This server takes invited users. Its operator gives you a token.",
  signInLater: "Nothing can be done here without a token. “New project” asks for it again.",
  token: "Token",
  signIn: "Go on",
};

const chinese = {
  skip: "跳到内容",
  newProject: "新项目",
  credits: (count) => `${count} 积分`,
  files: "文件",
  drop: "把视频和单独录制的声音拖到这里，或者",
  pick: "选择文件",
  merge: "对齐声音",
  mergeSentence: (audio) => `合并"${audio}"`,
  sync: "声音与画面",
  cameraSound: "相机",
  recorderSound: "录音",
  listen: "试听",
  stop: "停止",
  earlierLater: "提前或推后",
  zoom: "缩放",
  zoomIn: "放大",
  zoomOut: "缩小",
  where: "查看和试听的位置",
  nudgeLabel: "录音的位置",
  nudgeHint: "拖动录音，或用 ← 和 →（按住 Shift 为 1 毫秒）。声音会立即跟随。",
  offset: (ms, ppm) => `偏移 ${ms} 毫秒，漂移 ${ppm} ppm`,
  reading: "正在读取声音…",
  comparing: "正在比较声音…",
  matched: (ms, ppm, sure) => `声音应在 ${ms} 毫秒处，漂移 ${ppm} ppm；把握 ${sure} %。`,
  uncertain: "声音的位置不确定。请手动移动并试听。",
  unrelated: "两个声音没有共同之处。请手动移动录音。",
  timeline: "时间线",
  video: "视频",
  audio: "声音",
  text: "标题",
  other: "其他",
  image: "图片",
  empty: "空",
  talk: "说出你的要求",
  sentence: "要改什么？",
  sentenceHint: "在顶部加标题“你好”",
  send: "发送",
  working: "正在处理…",
  result: "成品",
  export: "导出",
  exporting: "导出进度",
  cancel: "取消",
  pending: (place) => `排队中，第 ${place} 位`,
  processing: (percent) => `渲染中，${percent} %`,
  failed: (why) => `失败：${why}`,
  cancelled: "已取消",
  waits: "等待前面的操作完成",
  completed: (seconds, size) => `完成：${seconds} 秒，${size}`,
  hear: "听",
  after: "成品",
  before: "原来的相机声音",
  download: "下载",
  footer: "一切都留在这台服务器上。",
  uploading: (percent) => `${percent} %`,
  checking: "正在检查…",
  lost: "无法连接服务器，正在重试…",
  leaving: "还有文件正在发送。",
  signInTitle: "你的令牌",
  signInWhy: "此服务器只接受受邀用户。令牌由管理员提供。",
  signInLater: "没有令牌就无法使用。按“新项目”可再次输入。",
  token: "令牌",
  signIn: "继续",
};

/** What the server refuses, by its code; in English its own words are shown. */
const refusals = {
  402: "不能导出",
  422: "时间线是空的",
  429: "请求太多，请稍候再试",
  503: "服务器暂时不可用",
  507: "服务器磁盘已满",
  1001: "令牌无效或已过期",
  1002: "找不到，或已不存在",
  2001: "积分不足",
  4001: "不支持的文件：不是可用的视频、声音或图片",
  4002: "文件太大",
};

const isChinese = /^zh/i.test(navigator.language);
export const say = isChinese ? chinese : english;
export const language = isChinese ? "zh-CN" : "en";

/** Why something was refused. */
export function reason(code, message) {
  return (isChinese && refusals[code]) || message;
}

/** Put every text in its place. */
export function translatePage() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = say[element.dataset.text];
  }
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say[element.dataset.label]);
  }
  for (const element of document.querySelectorAll("[data-placeholder]")) {
    element.placeholder = say[element.dataset.placeholder];
  }
}
