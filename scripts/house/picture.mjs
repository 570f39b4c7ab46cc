// The folders of src/ as a picture: who imports whom.

/** @typedef {import('./modules.mjs').Module} Module */
/** @typedef {Map<string, Set<string>>} Arrows - from a folder to those that it imports */

/** A module's folder, or its own name where it is in none: `io`, `errors`. @param {string} path */
export const folderOf = (path) => path.split('/')[0]?.replace(/\.ts$/, '') ?? '';

/**
 * @param {Iterable<Module>} modules
 * @returns {Arrows}
 */
export function arrowsOf(modules) {
  /** @type {Arrows} */
  const arrows = new Map();
  for (const { path, imports } of modules) {
    const from = arrows.get(folderOf(path)) ?? new Set();
    arrows.set(folderOf(path), from);
    for (const target of imports.map(folderOf)) if (target !== folderOf(path)) from.add(target);
  }
  return arrows;
}

/**
 * A way that leads from a folder back to it, which a house of layers has none of: each arrow would have to run down.
 * @param {Arrows} arrows
 * @returns {string[] | undefined} the first folder is the last one too
 */
export function findCircle(arrows) {
  const done = new Set();
  /** @type {(at: string, way: readonly string[]) => string[] | undefined} */
  const walk = (at, way) => {
    if (way.includes(at)) return [...way.slice(way.indexOf(at)), at];
    if (done.has(at)) return undefined;
    for (const next of arrows.get(at) ?? []) {
      const circle = walk(next, [...way, at]);
      if (circle) return circle;
    }
    done.add(at);
    return undefined;
  };
  for (const folder of arrows.keys()) {
    const circle = walk(folder, []);
    if (circle) return circle;
  }
  return undefined;
}

/**
 * A flowchart in Mermaid. An arrow is left out where others lead to the same folder: who imports `graph` may also
 * import what `graph` imports.
 * @param {Arrows} arrows - without a circle
 */
export function drawMermaid(arrows) {
  /** @type {(from: string, to: string) => boolean} */
  const leads = (from, to) => [...(arrows.get(from) ?? [])].some((next) => next === to || leads(next, to));
  const lines = [...arrows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([from, targets]) => {
      const drawn = [...targets].filter((to) => ![...targets].some((other) => leads(other, to)));
      return drawn.sort().map((to) => `  ${from} --> ${to}`);
    });
  return ['```mermaid', 'flowchart TD', ...lines, '```'].join('\n');
}

/**
 * All arrows as text: a line for each folder, lower ones behind those that import them.
 * @param {Arrows} arrows - without a circle
 */
export function listArrows(arrows) {
  /** @type {(folder: string) => number} */
  const height = (folder) => 1 + Math.max(0, ...[...(arrows.get(folder) ?? [])].map(height));
  return [...arrows]
    .map(([folder, targets]) => ({ folder, targets: [...targets].sort(), height: height(folder) }))
    .sort((a, b) => b.height - a.height || (a.folder < b.folder ? -1 : 1))
    .map(({ folder, targets }) => `${folder.padEnd(12)}${targets.join(', ') || '-'}\n`)
    .join('');
}
