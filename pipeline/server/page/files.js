// The session's files, and those on their way.

import { $, element, seconds, size } from "./dom.js";
import { kept, upload } from "./server.js";
import { attempt, refresh, state, watch } from "./session.js";
import { say } from "./strings.js";

const sending = new Map();

watch(showFiles);

function showFiles() {
  $("file-list").replaceChildren(...state.files.map(fileRow), ...[...sending.values()].map(sentRow));
}

function fileRow(file) {
  const row = element("li");
  const facts = [say[file.file_type], seconds(file.duration),
    file.width ? `${file.width}×${file.height}` : "", size(file.size)].filter(Boolean);
  row.append(element("span", "name", file.filename), element("span", "facts", facts.join(" · ")));
  return row;
}

function sentRow(one) {
  const row = element("li");
  row.append(element("span", "name", one.name));
  if (one.error) {
    row.append(element("span", "bad", one.error));
    return row;
  }
  const done = Math.floor(one.done * 100);
  row.append(element("span", "facts", done < 100 ? say.uploading(done) : say.checking));
  const bar = element("progress");
  bar.max = 100;
  bar.value = done;
  bar.setAttribute("aria-label", one.name);
  row.append(bar);
  return row;
}

async function send(files) {
  if (!state) return;
  for (const file of files) {
    const one = { name: file.name, done: 0 };
    sending.set(one, one);
    showFiles();
    try {
      await upload(kept.session, file, (done) => { one.done = done; showFiles(); });
      sending.delete(one);
    } catch (error) {
      one.error = error.message || say.lost;
      setTimeout(() => { sending.delete(one); showFiles(); }, 15000);
    }
    await attempt(refresh);
  }
}

$("pick").addEventListener("change", () => {
  void send([...$("pick").files]);
  $("pick").value = "";
});
for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    if (name === "drop" || !event.relatedTarget) document.body.classList.remove("over");
  });
}
addEventListener("drop", (event) => void send([...event.dataTransfer.files]));
addEventListener("beforeunload", (event) => {
  if ([...sending.values()].some((one) => !one.error)) event.preventDefault();
});
