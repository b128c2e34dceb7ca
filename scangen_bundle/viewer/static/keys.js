// Everything by keyboard. Keys do nothing while somebody types, and leave the browser's own combinations alone.

const TYPES = "input[type=search], input[type=text], select, textarea";

export function listen(actions) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (document.querySelector("dialog[open]")) return;
    if (target.matches(TYPES)) {
      if (event.key === "Escape") target.blur();
      return;
    }
    const own = inContext(target, event.key, actions);
    const action = own ?? actions[event.key] ?? actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

// Arrows belong to what has the focus: a list, a slider, or the scans. False: the browser deals with it.
function inContext(target, key, actions) {
  const arrow = key.startsWith("Arrow") || ["Home", "End", "PageUp", "PageDown"].includes(key);
  if (arrow && target.closest("#list")) return actions[`list ${key}`] ?? false;
  if (arrow && target.matches("input[type=range], .scroll")) return false;
  if (target.matches("button, summary, a, input[type=checkbox]") && (key === "Enter" || key === " ")) return false;
  return null;
}
