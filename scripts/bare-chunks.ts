/** The build's chunks in fewer bytes: the same modules, in words that gzip makes less of. */
import { posix } from 'node:path';
import type { Plugin } from 'vite';

/** The module of a shader in a chunk: a variable that needs nothing. */
const SHADER = /^\/\/ \S+\.wgsl\?raw\nvar [\w$]+ = "[^\n]*";\n/gm;

/**
 * Puts the texts of shaders side by side at the beginning of a chunk: gzip sees what repeats within 32 kB, and where they are
 * imported they are further apart.
 */
export function shadersFirst(): Plugin {
  return {
    name: 'atomoe:shaders-first',
    renderChunk(code, { name, moduleIds }) {
      const shaders = code.match(SHADER) ?? [];
      const count = moduleIds.filter((id) => id.endsWith('.wgsl?raw')).length;
      if (shaders.length !== count) throw new Error(`${name} shows ${shaders.length} shaders of ${count}`);
      const others = code.replaceAll(SHADER, '');
      const first = others.search(/^\/\/ /m);
      if (count === 0 || first === -1) return undefined;
      return { code: others.slice(0, first) + shaders.join('') + others.slice(first), map: null };
    },
  };
}

/** `export{a as b}` at the end of a minified chunk. */
const EXPORTS = /export\{([^}]*)\};?\s*$/;

/**
 * Lets chunks export their variables by the names that these have anyway, instead of `export{Xu as e}`: the core has 200 of them.
 * Entries, and modules that are loaded by their own names, keep theirs.
 */
export function plainLinks(): Plugin {
  return {
    name: 'atomoe:plain-links',
    generateBundle(_, bundle) {
      const chunks = Object.values(bundle).filter((output) => output.type === 'chunk');
      for (const { fileName, code, isEntry } of chunks) {
        const links = chunks.map((chunk) => ({ chunk, path: pathFrom(chunk.fileName, fileName) }));
        const isLoaded = links.some(({ chunk, path }) => chunk.code.includes(`import(\`${path}\`)`));
        const list = EXPORTS.exec(code)?.[1];
        if (isEntry || isLoaded || list === undefined) continue;
        const names = new Map(pairsOf(list).map(([local, exported]) => [exported, local]));
        for (const { chunk, path } of links) {
          const statement = new RegExp(
            `(import|export)\\{([^}]*)\\}from"${path.replaceAll('.', '\\.')}"`,
            'g',
          );
          chunk.code = chunk.code.replaceAll(statement, (_whole, word: string, imports: string) => {
            const renamed = pairsOf(imports).map(([name, alias]) => pair(localOf(names, name, path), alias));
            return `${word}{${renamed.join(',')}}from"${path}"`;
          });
          if (chunk.fileName !== fileName) continue;
          chunk.code = chunk.code.replace(EXPORTS, () => `export{${[...names.values()].join(',')}};`);
        }
      }
    },
  };
}

function localOf(names: ReadonlyMap<string, string>, exported: string, path: string): string {
  const local = names.get(exported);
  if (local === undefined) throw new Error(`${path} exports no ${exported}, or in words unheard of`);
  return local;
}

/** The names on both sides of each `as`. */
function pairsOf(list: string): (readonly [string, string])[] {
  return list.split(',').map((each) => {
    const [name = '', alias = name] = each.split(' as ');
    return [name, alias] as const;
  });
}

const pair = (name: string, alias: string) => (name === alias ? name : `${name} as ${alias}`);

/** One file of a build as another imports it. */
export function pathFrom(fileName: string, imported: string): string {
  const path = posix.relative(posix.dirname(fileName), imported);
  return path.startsWith('.') ? path : `./${path}`;
}

/** Leaves out the marks that calls have no effects, which the minifier has heeded. */
export function withoutAnnotations(): Plugin {
  return {
    name: 'atomoe:without-annotations',
    generateBundle(_, bundle) {
      for (const output of Object.values(bundle)) {
        if (output.type !== 'chunk') continue;
        output.code = output.code.replaceAll(/(?<=\w)\/\* @__PURE__ \*\/|\/\* @__PURE__ \*\/ /g, '');
      }
    },
  };
}
