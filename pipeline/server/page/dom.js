// Elements of the page, figures for people, and who has the keyboard.

export const $ = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function size(bytes) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (bytes < 1000 || unit === "GB") return `${bytes.toFixed(unit === "B" ? 0 : 1)} ${unit}`;
    bytes /= 1000;
  }
}

export function seconds(value) {
  if (value === null || value === undefined) return "";
  const minutes = Math.floor(value / 60);
  return `${minutes}:${(value - minutes * 60).toFixed(1).padStart(4, "0")}`;
}

/** A figure for people; never "-0.0". */
export function oneDecimal(value) {
  return (Math.round(value * 10) / 10 + 0).toFixed(1);
}

/** Do something that may take away the control that has the keyboard; the next one gets it then. */
export function keepingFocus(change, ...next) {
  const had = document.activeElement;
  change();
  const isGone = had.hidden || had.disabled || had.closest("[hidden]");
  if (had === document.body || !isGone) return;
  next.find((one) => !one.disabled && !one.closest("[hidden]"))?.focus();
}
