/**
 * The first key that the outermost object of a JSON text has twice. JSON.parse keeps the last and says nothing, so a
 * doubled tensor would silently hide another.
 *
 * @param text - JSON that JSON.parse has accepted
 */
export function repeatedKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let isKey = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === '"') {
      const end = stringEnd(text, i);
      if (depth === 1 && isKey) {
        const key: unknown = JSON.parse(text.slice(i, end + 1));
        if (typeof key === 'string' && seen.has(key)) return key;
        seen.add(String(key));
        isKey = false;
      }
      i = end;
    } else if (char === '{' || char === '[') {
      depth += 1;
      if (depth === 1) isKey = true;
    } else if (char === '}' || char === ']') {
      depth -= 1;
    } else if (char === ',' && depth === 1) {
      isKey = true;
    }
  }
  return undefined;
}

/** Index of the quote that closes the string opened at `start`. */
function stringEnd(text: string, start: number): number {
  let i = start + 1;
  while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
  return i;
}
