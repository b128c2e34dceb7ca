// Questions to the viewer's own server; there is no other.

export class Problem extends Error {}

// The JSON answer to a path with parameters; what is undefined or null is left out.
export async function ask(path, parameters = {}, signal = undefined) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null);
  const query = new URLSearchParams(given).toString();
  const response = await fetch(query ? `${path}?${query}` : path, { signal });
  if (response.ok) return response.json();
  let text = `the viewer answered ${response.status}`;
  try {
    text = (await response.json()).problem ?? text;
  } catch { /* an answer without a reason */ }
  throw new Problem(text);
}
